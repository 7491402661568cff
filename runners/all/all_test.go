package all

import (
	"strings"
	"testing"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
)

func TestNew_EveryTypeHasARunner(t *testing.T) {
	all := New(Options{})
	var missing []string
	for _, rt := range Types() {
		r := all[rt.Name]
		if r == nil || r.Type().Name != rt.Name {
			t.Fatalf("%s: %v", rt.Name, r)
		}
		if Missing(r) {
			missing = append(missing, rt.Name)
		}
	}
	if len(all) != len(Types()) {
		t.Errorf("%d runners for %d types", len(all), len(Types()))
	}
	if got := strings.Join(missing, " "); got != "action-chain inquirer orchestra orquesta remote-shell-cmd remote-shell-script winrm-cmd winrm-ps-cmd winrm-ps-script" {
		t.Errorf("there is no runner for %s", got)
	}
}

func TestMissing_SaysSo(t *testing.T) {
	r := New(Options{})["orquesta"]
	want := `Runner "orquesta" is not part of this build yet`
	if err := r.Prepare(t.Context(), &runners.Job{}); err == nil || petrel.Message(err) != want {
		t.Error(err)
	}
	out := r.Run(t.Context(), &runners.Job{})
	if text, _ := out.Result.(*value.Dict).GetStr("error"); out.Status != petrel.StatusFailed || text != value.Value(want) {
		t.Errorf("%s %s", out.Status, value.Repr(out.Result))
	}
}
