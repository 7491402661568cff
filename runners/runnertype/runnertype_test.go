package runnertype

import (
	"strings"
	"testing"

	"petrel/expr/value"
)

func TestAll_IsWhatClientsKnow(t *testing.T) {
	want := strings.Fields("action-chain announcement http-request inquirer local-shell-cmd local-shell-script noop orchestra orquesta " +
		"python-script remote-shell-cmd remote-shell-script winrm-cmd winrm-ps-cmd winrm-ps-script")
	all := All()
	if len(all) != len(want) {
		t.Fatalf("%d types", len(all))
	}
	keys := map[string]string{"action-chain": "published", "http-request": "body", "orquesta": "output", "orchestra": "output", "python-script": "result"}
	for i, rt := range all {
		if rt.Name != want[i] || rt.UID != "runner_type:"+rt.Name || !rt.Enabled || rt.Module == "" || rt.Package == "" || rt.Description == "" {
			t.Errorf("%+v", rt)
		}
		if rt.OutputKey != keys[rt.Name] {
			t.Errorf("%s: output key %q", rt.Name, rt.OutputKey)
		}
		v, err := value.FromJSON(rt.Parameters)
		if err != nil {
			t.Errorf("%s: %v", rt.Name, err)
		}
		if d, ok := v.(*value.Dict); !ok || d.Len() == 0 && rt.Name != "noop" {
			t.Errorf("%s: parameters %s", rt.Name, rt.Parameters)
		}
	}
}

func TestNamed_KeepsTheOrderOfParameters(t *testing.T) {
	rt := MustNamed("local-shell-cmd")
	v, err := value.FromJSON(rt.Parameters)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range v.(*value.Dict).Keys() {
		names = append(names, value.Str(k))
	}
	if got := strings.Join(names, " "); got != "cmd cwd env kwarg_op sudo sudo_password timeout" {
		t.Errorf("the order is %s", got)
	}
	if _, ok := Named("run-local"); ok {
		t.Error("a runner of old is still there")
	}
}
