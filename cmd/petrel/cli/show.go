package cli

import (
	"fmt"
	"strings"
	"time"

	"petrel"
	"petrel/actions"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
)

// executionTransforms are how an execution's attributes are shown: times in
// the user's zone, colours, secrets hidden, and, with elapsed, how long it took.
func (c *call) executionTransforms(execution value.Value, elapsed bool) output.Transforms {
	when := func(v value.Value) value.Value {
		if v == nil || v == "" {
			return ""
		}
		at, err := petrel.ParseTime(value.Str(v))
		if err != nil {
			return v
		}
		return at.In(c.zone()).Format("Mon, 02 Jan 2006 15:04:05 MST")
	}
	return output.Transforms{
		"parameters":      maskParameters,
		"start_timestamp": when,
		"end_timestamp":   when,
		"status": func(v value.Value) value.Value {
			status, isText := v.(string)
			if !isText {
				return v
			}
			if elapsed {
				status = c.withElapsed(execution, status)
			}
			return c.coloured(status)
		},
	}
}

// The colours of texts, as st2 has them.
const (
	red    = "\x1b[91m"
	green  = "\x1b[92m"
	yellow = "\x1b[93m"
	blue   = "\x1b[94m"
	brown  = "\x1b[33m"
	plain  = "\x1b[0m"
)

var statusColours = map[string]string{"succeeded": green, "delayed": blue, "failed": red, "timeout": brown}

// colourful says whether the terminal shows colours and nobody forbade them.
func (p *Program) colourful() bool {
	return p.Env("ST2_COLORIZE") == "" && has([]string{"xterm", "xterm-color", "screen", "vt100", "vt100-color", "xterm-256color"}, strings.ToLower(p.Env("TERM")))
}

func (p *Program) blue(text string) string {
	if !p.colourful() {
		return text
	}
	return blue + text + plain
}

// coloured writes a status in its colour; the seconds behind it stay plain.
func (p *Program) coloured(status string) string {
	word, rest, more := strings.Cut(status, "(")
	if more {
		word, rest = strings.TrimSpace(word), " ("+rest
	}
	if p.colourful() {
		word = firstOf(statusColours[word], yellow) + word + plain
	}
	return word + rest
}

// zone is the time zone times are shown in.
func (p *Program) zone() *time.Location {
	zone, err := time.LoadLocation(p.config["cli.timezone"])
	if err != nil {
		return time.UTC
	}
	return zone
}

// withElapsed adds to a running or finished status how long it took so far.
func (c *call) withElapsed(execution value.Value, status string) string {
	started, err := petrel.ParseTime(text(execution, "start_timestamp"))
	if err != nil {
		return status
	}
	var ended time.Time
	switch s := petrel.Status(status); {
	case s == petrel.StatusRunning:
		ended = c.Now()
	case s.Final():
		if ended, err = petrel.ParseTime(text(execution, "end_timestamp")); err != nil {
			return status
		}
	default:
		return status
	}
	return fmt.Sprintf("%s (%ds elapsed)", status, ended.Unix()-started.Unix()) // of whole seconds, as st2
}

// maskParameters hides what old servers do not.
func maskParameters(v value.Value) value.Value {
	d, ok := v.(*value.Dict)
	if !ok {
		return v
	}
	out := value.NewDict()
	for k, item := range d.All() {
		if name := value.Str(k); name == "password" || name == "private_key" {
			item = actions.Masked
		}
		out.Set(k, item)
	}
	return out
}
