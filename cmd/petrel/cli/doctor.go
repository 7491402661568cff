package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"petrel/api/client"
	"petrel/expr/value"
)

// doctorWait bounds each of the doctor's runs.
const doctorWait = 30 * time.Second

func (p *Program) doctorCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{Use: "doctor", Short: "Prove that the whole loop works", Args: cobra.NoArgs,
		Long: "Ask the running server (or one started for the purpose) whether it is ready, then run actions by API and by chat line and check what comes back.",
		RunE: func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context(), firstOf(state, p.state())) }}
	cmd.Flags().StringVar(&state, "state", "", "state folder of the server (default ./petrel-data)")
	return cmd
}

func (p *Program) doctor(ctx context.Context, state string) error {
	login, alive := running(ctx, state)
	if !alive {
		_, stop, err := p.embedded(ctx, state)
		if err != nil {
			return err
		}
		defer func() { _ = stop() }()
		if login, alive = running(ctx, state); !alive {
			return fmt.Errorf("the server that was started in %s does not answer", state)
		}
	}
	api, err := client.New(client.Config{API: login.URL + "/api/v1", Auth: login.URL + "/auth", Stream: login.URL + "/stream/v1", APIKey: login.APIKey})
	if err != nil {
		return err
	}
	failures := 0
	check := func(name string, do func(ctx context.Context) (string, error)) {
		ctx, cancel := context.WithTimeout(ctx, doctorWait)
		defer cancel()
		begin := p.Now()
		found, err := do(ctx)
		took := p.Now().Sub(begin).Round(time.Millisecond)
		if err != nil {
			failures++
			p.printf("FAIL  %-28s %v\n", name, err)
			return
		}
		p.printf("ok    %-28s %s (%s)\n", name, found, took)
	}
	check("server", func(ctx context.Context) (string, error) { return login.URL, get(ctx, login.URL+"/healthz") })
	check("ready", func(ctx context.Context) (string, error) {
		return "store, queue and worker", get(ctx, login.URL+"/readyz")
	})
	for _, run := range []struct{ ref, about string }{
		{"core.noop", "engine"}, {"core.local", "processes"}, {"linux.check_loadavg", "Python"},
	} {
		check(run.about+" ("+run.ref+")", func(ctx context.Context) (string, error) { return p.prove(ctx, api, run.ref) })
	}
	check("chat (!st2 run core.noop)", func(ctx context.Context) (string, error) {
		reply, err := p.say(ctx, login, "!st2 run core.noop", doctorWait)
		if err != nil {
			return "", err
		}
		if reply.Status != "succeeded" {
			return "", fmt.Errorf("the reply says %q: %s", reply.Status, reply.Text)
		}
		return "the reply came", nil
	})
	if failures > 0 {
		return fmt.Errorf("%d of the checks failed", failures)
	}
	p.printf("All is well.\n")
	return nil
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// prove runs an action to its end.
func (p *Program) prove(ctx context.Context, api *client.Client, ref string) (string, error) {
	body := value.DictOf("action", ref, "parameters", value.NewDict())
	if ref == "core.local" {
		body.SetStr("parameters", value.DictOf("cmd", "echo well"))
	}
	answer, err := api.Call(ctx, http.MethodPost, "/executions", nil, body)
	if err != nil {
		return "", err
	}
	id := text(answer.Body, "id")
	for {
		answer, err := api.Call(ctx, http.MethodGet, "/executions/"+id, nil, nil)
		if err != nil {
			return "", err
		}
		switch status := text(answer.Body, "status"); status {
		case "requested", "scheduled", "running", "delayed":
		case "succeeded":
			return "execution " + id, nil
		default:
			return "", fmt.Errorf("execution %s ended as %s: %s", id, status, text(answer.Body, "result"))
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("execution %s did not end in %s", id, doctorWait)
		case <-time.After(firstLook):
		}
	}
}
