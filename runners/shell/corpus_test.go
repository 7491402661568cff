package shell

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"petrel/expr/value"
)

func corpus(name string) string {
	if dir := os.Getenv("PETREL_CORPUS"); dir != "" {
		return filepath.Join(dir, name)
	}
	return filepath.Join("testdata", name)
}

func text(d *value.Dict, key string) string {
	v, _ := d.GetStr(key)
	s, _ := value.AsString(v)
	return s
}

func dict(d *value.Dict, key string) *value.Dict {
	v, _ := d.GetStr(key)
	out, _ := v.(*value.Dict)
	return out
}

func TestCorpusShellargs(t *testing.T) {
	f, err := os.Open(corpus("shellargs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	passed, total := 0, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		v, err := value.FromJSON(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		total++
		c := v.(*value.Dict)
		want := dict(c, "expect")
		sudo, _ := c.GetStr("sudo")
		args, err := NewArguments(dict(c, "parameters"), dict(c, "params"), text(c, "kwarg_op"))
		if err != nil {
			t.Errorf("%s: %v", text(c, "id"), err)
			continue
		}
		line, err := args.Line()
		if err != nil {
			t.Errorf("%s: %v", text(c, "id"), err)
			continue
		}
		id := Identity{User: text(c, "user"), ProcessUser: text(c, "process_user"), Sudo: sudo == true,
			Password: text(c, "sudo_password") != ""}
		command := ScriptCommand(text(c, "script"), line, id)
		if text(c, "kind") == "remote" {
			command = RemoteScriptCommand(text(c, "remote_dir"), text(c, "script"), line)
		}
		env := map[string]string{}
		if given := dict(c, "env"); given != nil {
			for k, v := range given.All() {
				env[value.Str(k)] = value.Str(v)
			}
		}
		export := Export(env, id.Sudo && id.Password)
		if line == text(want, "arguments") && command == text(want, "command") && export == text(want, "env_export") {
			passed++
			continue
		}
		t.Errorf("%s:\n got %s | %s | %s\nwant %s | %s | %s", text(c, "id"), line, command, export,
			text(want, "arguments"), text(want, "command"), text(want, "env_export"))
	}
	fmt.Printf("corpus shellargs: %d/%d\n", passed, total)
}
