package cli

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"petrel/expr/value"
	"petrel/test/replay"
)

// later are areas of recorded command lines whose commands come with their
// nouns; they are counted and reported, and not required.
var later = map[string]string{
	"cli.rule": "rules", "cli.key": "the datastore", "cli.trigger": "triggers", "cli.instance": "trigger instances",
	"cli.policy": "policies", "cli.trace": "traces",
}

// deviations are scenarios with a step that Petrel answers otherwise on
// purpose; docs/deviations.md says why.
var deviations = map[string]string{
	"cli/auth/apikey":       "deleting a key that is not there names the key; the original shows an exception's text",
	"cli/action/list-attrs": "linux.check_loadavg is a Python action that runs here",
}

// needs says which part of a later version a scenario uses: a noun whose
// commands are not there, or a workflow.
func needs(s replay.Scenario) string {
	if why := later[s.Covers]; why != "" {
		return why
	}
	if why := deviations[s.ID]; why != "" {
		return why
	}
	for _, step := range s.Steps {
		words := texts0(replay.List(step, "argv"))
		for _, w := range words {
			if strings.HasPrefix(w, "conformance.wf_") || strings.HasPrefix(w, "conformance.chain_") {
				return "workflows"
			}
		}
		if request := replay.Object(step, "request"); request != nil {
			if body := replay.Object(request, "body"); body != nil && strings.HasPrefix(replay.Text(body, "action"), "conformance.wf_") {
				return "workflows"
			}
		}
		rest := words
		if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			if _, known := later["cli."+strings.TrimSuffix(rest[0], "s")]; known {
				return "the command " + rest[0]
			}
			switch rest[0] {
			case "timer", "sensor", "service-registry", "trace", "trigger-instance", "rule-enforcement", "policy-type", "nonsense":
				return "the command " + rest[0]
			}
		}
	}
	return ""
}

func texts0(all []value.Value) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = value.Str(v)
	}
	return out
}

// corpus is the folder of the recorded cases.
func corpus() string {
	if dir := os.Getenv("PETREL_CORPUS"); dir != "" {
		return dir
	}
	return "testdata"
}

// TestMain lets the test program be `st2`: a scenario runs command lines as
// processes of their own, with their own HOME and folder.
func TestMain(m *testing.M) {
	if os.Getenv("PETREL_TEST_AS_ST2") == "1" {
		p := New()
		p.Name = "st2"
		os.Exit(p.Run(context.Background(), os.Args[1:]))
	}
	if os.Getenv("PETREL_TEST_AS_PETREL") == "1" || len(os.Args) == 2 && os.Args[1] == "guard" { // bash's completion, or the guard of a server's processes
		p := New()
		p.Name = "petrel"
		os.Exit(p.Run(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestCorpusCLI(t *testing.T) {
	scenarios, err := replay.Load(filepath.Join(corpus(), "cli.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	setups := startSetups(t)
	echo := replay.StartEcho()
	defer echo.Close()
	var tally, required replay.Tally
	var failed, waiting []string
	for _, s := range scenarios {
		bases, known := setups[s.Setup]
		if !known {
			t.Fatalf("%s: set-up %q is not one that this test starts", s.ID, s.Setup)
		}
		diff := playCommands(t, s, bases, echo.URL)
		tally.Add(s.Covers, diff == "")
		why := needs(s)
		if why == "" {
			required.Add(s.Covers, diff == "")
		}
		switch {
		case diff != "" && why == "":
			failed = append(failed, s.ID+": "+diff)
		case diff != "":
			waiting = append(waiting, s.ID+" ("+why+")")
		}
	}
	good, total := tally.Sum()
	fmt.Printf("corpus cli: %d/%d\n", good, total)
	t.Logf("by area:\n%s", tally.String())
	sort.Strings(waiting)
	t.Logf("waiting for a later version: %s", strings.Join(waiting, ", "))
	for _, f := range failed {
		t.Error(f)
	}
}

var (
	dates     = regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d UTC`)
	elapsed   = regexp.MustCompile(`\(\d+s elapsed\)`)
	seconds   = regexp.MustCompile(`(elapsed_seconds['"]?: )[\d.]+`)
	dots      = regexp.MustCompile(`(?m)^\.+$`)
	duplicate = regexp.MustCompile(`(E11000 duplicate key error).*`)
	changing  = []*regexp.Regexp{
		regexp.MustCompile(`http://127\.0\.0\.1:\d{4,}/(api/v1|auth|stream/v1)`), // where the services are
		regexp.MustCompile(`/[^ "]*/packs\b`),                                    // where packs are looked for
	}
	pids    = regexp.MustCompile(`(pid['"]?: )\d+`)
	hosts   = regexp.MustCompile(`(hostname['"]?: )\S+`)
	someday = regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4}\b`)
)

// normal makes what a command printed comparable; times are written before
// anything else so that their digits are not taken for something else.
func normal(c *replay.Context, text, sysuser string) string {
	n := &replay.Normal{Context: c}
	text = n.Variables(strings.ReplaceAll(text, "\r\n", "\n")) // the recordings were read as text
	for _, r := range changing {
		text = r.ReplaceAllString(text, "$$any")
	}
	text = regexp.MustCompile(`(^|[^\w/])`+regexp.QuoteMeta(sysuser)+`($|[^\w/])`).ReplaceAllString(text, "${1}$$sysuser${2}")
	text = dates.ReplaceAllString(text, "$$date")
	text = replay.Identifiers(text)
	text = elapsed.ReplaceAllString(text, "($$nums elapsed)")
	text = seconds.ReplaceAllString(text, "${1}$$num")
	text = dots.ReplaceAllString(text, "$$dots")
	text = duplicate.ReplaceAllString(text, "${1}$$any")
	text = pids.ReplaceAllString(text, "${1}$$any")
	return hosts.ReplaceAllString(text, "${1}$$any")
}

// today lets a recorded day in a table stand for any day of the same width.
func today(text string) string { return someday.ReplaceAllString(text, "Day, 00 Mon 0000") }

// members are the members of an object inside another; none when it is absent.
func members(d *value.Dict, key string) iter.Seq2[value.Value, value.Value] {
	o := replay.Object(d, key)
	if o == nil {
		o = value.NewDict()
	}
	return o.All()
}

// playCommands plays a scenario and says where it differs first.
func playCommands(t *testing.T, s replay.Scenario, bases map[string]string, echo string) string {
	t.Helper()
	dir := t.TempDir()
	c := replay.NewContext(bases, echo)
	c.Vars["dir"] = dir
	for k, v := range members(s.Doc, "files") {
		if err := os.WriteFile(filepath.Join(dir, value.Str(k)), []byte(c.FillText(value.Str(v))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	player := &replay.Player{Bases: bases, Echo: echo}
	for i, step := range s.Steps {
		if replay.Object(step, "request") != nil {
			if _, err := player.Request(t.Context(), c, step); err != nil {
				return fmt.Sprintf("step %d: %v", i, err)
			}
			continue
		}
		if wait := replay.Object(step, "wait"); wait != nil {
			looking := value.DictOf("request", value.DictOf("method", "GET", "path", replay.Text(wait, "path")), "wait", wait)
			if _, err := player.Request(t.Context(), c, looking); err != nil {
				return fmt.Sprintf("step %d: %v", i, err)
			}
		}
		stdout, stderr, code := runAs(t, dir, c, bases, s, step)
		expect := replay.Object(step, "expect")
		for k, v := range members(step, "capture") {
			found := regexp.MustCompile(value.Str(v)).FindStringSubmatch(stdout)
			if len(found) < 2 {
				return fmt.Sprintf("step %d: nothing to capture for %v in %q %q", i, k, stdout, stderr)
			}
			c.Vars[value.Str(k)] = found[1]
		}
		if want := int(replay.Number(expect, "exit", 0)); code != want {
			return fmt.Sprintf("step %d (%v): exit %d, want %d\n%s%s", i, step, code, want, stdout, stderr)
		}
		for name, got := range map[string]string{"stdout": stdout, "stderr": stderr} {
			want := replay.Text(expect, name)
			if got = normal(c, got, systemUser(t)); !replay.SameText(today(want), today(got)) {
				argv, _ := step.GetStr("argv")
				return fmt.Sprintf("step %d %s of %s:\nwant\n%s\ngot\n%s", i, name, value.Repr(argv), want, got)
			}
		}
	}
	return ""
}

func runAs(t *testing.T, dir string, c *replay.Context, bases map[string]string, s replay.Scenario, step *value.Dict) (string, string, int) {
	t.Helper()
	words := texts0(replay.List(step, "argv"))
	for i, w := range words {
		words[i] = c.FillText(w)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, words...)
	cmd.Dir = dir
	cmd.Env = []string{"PETREL_TEST_AS_ST2=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8", "TERM=dumb", "COLUMNS=150", "ST2_COLORIZE=1",
		"ST2_API_URL=" + bases["/api"] + "/v1", "ST2_AUTH_URL=" + bases["/auth"], "ST2_STREAM_URL=" + bases["/stream"] + "/v1"}
	for _, extra := range []*value.Dict{s.Doc, step} {
		for k, v := range members(extra, "env") {
			cmd.Env = append(cmd.Env, value.Str(k)+"="+c.FillText(value.Str(v)))
		}
	}
	cmd.Stdin = strings.NewReader(c.FillText(replay.Text(step, "stdin")))
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
