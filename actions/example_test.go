package actions_test

import (
	"context"
	"fmt"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
)

// A request gives a message; what runs is the action's own command with the
// message in it.
func Example() {
	in := actions.Input{
		Runner: petrel.RunnerType{Parameters: petrel.JSON(`{"cmd": {"type": "string"}, "timeout": {"type": "integer", "default": 60}}`)},
		Action: petrel.Action{Ref: "core.echo", Parameters: petrel.JSON(
			`{"message": {"type": "string", "required": true}, "cmd": {"immutable": true, "default": "echo '{{ message }}'"}}`)},
		Given:   value.DictOf("message", "hello {{ action_context.user }}"),
		Context: value.DictOf("user", "ann"),
	}
	ctx := context.Background()
	live, err := actions.Live(ctx, in)
	fmt.Println("stored:", value.Repr(live), err)
	in.Given = live
	runner, own, err := actions.Final(ctx, in)
	fmt.Println("run with:", value.Repr(runner), value.Repr(own), err)

	in.Given = value.DictOf("message", int64(5))
	_, err = actions.Live(ctx, in)
	fmt.Println("refused:", err)
	// Output:
	// stored: {'message': 'hello ann'} <nil>
	// run with: {'timeout': 60, 'cmd': "echo 'hello ann'"} {'message': 'hello ann'} <nil>
	// refused: Value "5" must either be a string or None. Got "int".
}
