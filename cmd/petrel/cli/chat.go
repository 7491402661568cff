package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"petrel/app"
	"petrel/bot/console/terminal"
)

func (p *Program) chatCommand() *cobra.Command {
	var server, state, line string
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "chat", Short: "Talk to the bot from this terminal", Args: cobra.NoArgs,
		Long: "Talk to the bot from this terminal.\n\nThe server of the state folder is used; when none runs, the whole product starts inside this process and ends with it.\n" +
			"With --say one line is said, the final reply is printed, and the exit code is 0 when the execution succeeded.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
			defer stop()
			return p.chat(ctx, server, firstOf(state, p.state()), line, cmd.Flags().Changed("say"), wait)
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "base URL of a server, such as https://petrel.example (credentials from ST2_API_KEY, ST2_AUTH_TOKEN or `petrel login`)")
	cmd.Flags().StringVar(&state, "state", "", "state folder of the server (default ./petrel-data)")
	cmd.Flags().StringVar(&line, "say", "", "say one line and print the reply")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long --say waits for the final reply")
	return cmd
}

func (p *Program) chat(ctx context.Context, server, state, line string, say bool, wait time.Duration) (err error) {
	login := app.Login{URL: server}
	token := ""
	if server == "" {
		alive := false
		if login, alive = running(ctx, state); !alive {
			_, stop, err := p.embedded(ctx, state)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stop()) }()
			if login, alive = running(ctx, state); !alive {
				return fmt.Errorf("the server that was started in %s does not answer", state)
			}
		}
	} else {
		if err := p.prepare(); err != nil {
			return err
		}
		api, err := p.client(ctx, nil)
		if err != nil {
			return err
		}
		login.APIKey, token = api.Config().APIKey, api.Config().Token
	}
	c := chatClient(login, token)
	if say {
		reply, err := c.Say(ctx, line, wait)
		if err != nil {
			return err
		}
		p.printf("%s\n", reply.Text)
		if !reply.Succeeded() {
			return &exit{1, ""}
		}
		return nil
	}
	in, ok := p.In.(*os.File)
	if !ok {
		return errors.New("the prompt needs a terminal or a file as its input; --say says one line")
	}
	t, err := terminal.New(terminal.Config{Client: c, In: in, Out: p.Out, Getenv: p.Env, History: filepath.Join(p.home(), ".petrel_history")})
	if err != nil {
		return err
	}
	if p.stdinIsTerminal() {
		p.printf("Type !help to see what can be said. Ctrl-D leaves.\n")
	}
	return t.Run(ctx)
}

// chatClient is a chat client with a login's credentials.
func chatClient(login app.Login, token string) *terminal.Client {
	header := http.Header{}
	switch {
	case token != "":
		header.Set("X-Auth-Token", token)
	case login.APIKey != "":
		header.Set("St2-Api-Key", login.APIKey)
	}
	return &terminal.Client{URL: login.URL + "/api/v1", Header: header}
}

// say says one line and waits for its final reply.
func (p *Program) say(ctx context.Context, login app.Login, line string, wait time.Duration) (terminal.Reply, error) {
	return chatClient(login, "").Say(ctx, line, wait)
}
