package client

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"

	"petrel/expr/value"
)

// maxFrame bounds one event of the stream.
const maxFrame = 64 << 20

// Event is one line of the server's stream.
type Event struct {
	Name string
	Data value.Value
}

// Stream opens the event stream; opened is called once nothing can be missed
// any more, take with every event until it answers false, the server ends, or
// the context does.
func (c *Client) Stream(ctx context.Context, q Query, opened func(), take func(Event) bool) error {
	req, err := c.request(ctx, http.MethodGet, c.cfg.Stream+"/stream", q, nil, true)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &Error{Status: resp.StatusCode, Reason: http.StatusText(resp.StatusCode), URL: req.URL.String()}
	}
	body := bufio.NewReader(resp.Body)
	// The server's first byte says that it listens.
	if _, err := body.Peek(1); err != nil {
		return fmt.Errorf("the stream broke: %w", err)
	}
	opened()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxFrame)
	var name string
	var data []string
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "":
			if len(data) > 0 {
				v, err := value.FromJSON([]byte(strings.Join(data, "\n")))
				if err == nil && !take(Event{Name: name, Data: v}) {
					return nil
				}
			}
			name, data = "", nil
		case strings.HasPrefix(line, "event:"):
			name = strings.TrimSpace(line[len("event:"):])
		case strings.HasPrefix(line, "data:"):
			data = append(data, strings.TrimPrefix(line[len("data:"):], " "))
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the stream broke: %w", err)
	}
	return ctx.Err()
}
