package cli

import (
	"net/http"
	"strings"

	"petrel/cmd/petrel/cli/argparse"
	"petrel/cmd/petrel/cli/output"
	"petrel/expr/value"
)

func aliasCommands() []*command {
	line := func(help string) []argparse.Positional {
		return []argparse.Positional{{Name: "command", Arity: argparse.One, Help: help}}
	}
	const matching = "Get the action alias that match the command text."
	const executing = "Execute the command text by finding a matching action alias."
	user := []argparse.Option{{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "User under which to run the action (admins only)."}}
	return []*command{{
		words: []string{"action-alias", "match"},
		spec:  argparse.Spec{Description: matching, Options: append(std(true), attrOption, widthOption), Positionals: line(matching)},
		run: func(c *call) error {
			answer, err := c.api.Call(c.ctx, http.MethodPost, "/actionalias/match", nil, value.DictOf("command", c.args.Text("command", "")))
			if err != nil {
				return err
			}
			return c.showList([]value.Value{object(answer.Body, "actionalias")}, c.attributes([]string{"name", "description"}))
		},
	}, {
		words: []string{"action-alias", "execute"},
		spec:  argparse.Spec{Description: executing, Options: append(std(true), user...), Positionals: line(executing)},
		run: func(c *call) error {
			started, err := c.sayAlias()
			if err != nil {
				return err
			}
			for _, s := range started {
				c.printf("Matching Action-alias: '%s'\n", text(object(s, "actionalias"), "ref"))
				c.printf("To get the results, execute:\n %s execution get %s\n", c.Name, text(object(s, "execution"), "id"))
			}
			return nil
		},
	}, {
		words: []string{"action-alias", "test"},
		spec: argparse.Spec{Description: "Execute the command text by finding a matching action alias and format the result.", GroupUsage: runGroupUsage, Positionals: line(executing),
			Options: options2(std(true), user, runOptions(), []argparse.Option{{Names: []string{"-a", "--async"}, Help: "Do not wait for action to finish."}})},
		run: testAlias,
	}}
}

// sayAlias starts what a line of chat would start.
func (c *call) sayAlias() ([]value.Value, error) {
	body := value.DictOf("command", c.args.Text("command", ""), "user", c.args.Text("user", ""), "source_channel", "cli")
	answer, err := c.api.Call(c.ctx, http.MethodPost, "/aliasexecution/match_and_execute", nil, body)
	if err != nil {
		return nil, err
	}
	return list(object(answer.Body, "results")), nil
}

// testAlias runs a line and prints the message a chat would get.
func testAlias(c *call) error {
	c.printf("Triggering execution via action alias\n\n")
	started, err := c.sayAlias()
	if err != nil {
		return err
	}
	for _, s := range started {
		execution := object(s, "execution")
		id := text(execution, "id")
		c.printf("Execution (%s) has been started, waiting for it to finish...\n\n", id)
		if _, err = c.wait(execution); err != nil {
			return err
		}
		c.printf("\nExecution (%s) has finished, rendering result...\n\n", id)
		format := value.DictOf("action", "chatops.format_execution_result", "parameters", value.DictOf("execution_id", id), "user", c.args.Text("user", ""))
		answer, err := c.api.Call(c.ctx, http.MethodPost, "/executions", nil, format)
		if err != nil {
			return err
		}
		c.printf("Execution (%s) has been started, waiting for it to finish...\n\n", text(answer.Body, "id"))
		done, err := c.wait(answer.Body)
		if err != nil {
			return err
		}
		message := object(object(object(done, "result"), "result"), "message")
		if message == nil {
			shown, err := output.Execution(done, []string{"status", "result"}, nil, output.ExecutionOptions{})
			if err != nil {
				return err
			}
			return sentencef("The message could not be made:\n%s", shown)
		}
		rule := strings.Repeat("=", 80)
		c.printf("\nFormatted ChatOps result message\n\n%s\n%s\n%s\n\n", rule, value.Str(message), rule)
	}
	return nil
}

// object is an attribute of an object; nil when there is none.
func object(v value.Value, name string) value.Value {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	inner, _ := d.GetStr(name)
	return inner
}
