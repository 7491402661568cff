package api_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"petrel/api"
	"petrel/auth"
	"petrel/storage/postgres"
	"petrel/storage/storagetest"
	"petrel/test/replay"
)

// required are the areas that must agree whole, save what later says.
var required = []string{
	"executions.", "actions", "aliases", "runners", "packs", "attributes", "bodies", "cors", "limits", "paging", "routing",
	"meta", "stream", "auth.", "configs",
}

// later are features that come with later issues: a scenario that needs one is
// played and counted, and may disagree.
var later = []struct {
	why  string
	uses *regexp.Regexp // found in the scenario's steps
}{
	{"workflows and chains do not run yet", regexp.MustCompile(`"(conformance\.(wf|chain)_|examples\.)|"runner_type": ?"(orquesta|action-chain)"`)},
	{"inquiries", regexp.MustCompile(`"core\.ask"|/inquiries`)},
	{"the datastore", regexp.MustCompile(`/v1/keys|st2kv|py_store`)},
	{"rules, triggers, sensors, policies, traces, timers, webhooks", regexp.MustCompile(
		`/v1/(rules|ruletypes|triggers|triggertypes|triggerinstances|sensortypes|policies|policytypes|traces|timers|webhooks|ruleenforcements|rbac|service_registry|workflows)\b`)},
}

// whyLater says why a scenario may disagree; empty when it may not.
func whyLater(s replay.Scenario, line string) string {
	needed := false
	for _, area := range required {
		needed = needed || s.Covers == area || strings.HasSuffix(area, ".") && strings.HasPrefix(s.Covers, area)
	}
	if !needed {
		return "the area " + s.Covers + " comes later"
	}
	for _, l := range later {
		if l.uses.MatchString(line) {
			return l.why
		}
	}
	return ""
}

func TestCorpusAPI(t *testing.T) { playCorpus(t, newSite(t), "api") }

// TestCorpusAPI_Postgres plays the same on Postgres where one is given.
func TestCorpusAPI_Postgres(t *testing.T) {
	if os.Getenv("PETREL_TEST_POSTGRES") == "" {
		return // make test gives one; the store's own suite fails without
	}
	store, err := postgres.Open(context.Background(), storagetest.PostgresURL(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	playCorpus(t, newSiteOn(t, t.TempDir(), store), "api on Postgres")
}

func playCorpus(t *testing.T, site *site, name string) {
	file := corpusFile("api.jsonl")
	all, err := replay.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	echo := replay.StartEcho()
	defer echo.Close()
	htpasswd := site.htpasswd()
	players := map[string]*replay.Player{
		"default": {Bases: site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{}).bases()},
		"auth":    {Bases: site.serve(auth.Config{HtpasswdFile: htpasswd}, api.Config{}, api.ServerOptions{}).bases()},
	}
	for _, p := range players {
		p.Echo, p.SysUser = echo.URL, site.user
	}

	type outcome struct {
		scenario replay.Scenario
		step     int
		diffs    []string
	}
	var mu sync.Mutex
	var outcomes []outcome
	play := func(s replay.Scenario) {
		o := outcome{scenario: s}
		if p := players[s.Setup]; p != nil {
			if whyLater(s, replayText(s)) != "" {
				impatient := *p
				impatient.MaxWait = 2 * time.Second
				p = &impatient
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			o.step, o.diffs = p.Play(ctx, s)
		} else {
			o.diffs = []string{"the set-up " + s.Setup + " comes later"}
		}
		mu.Lock()
		outcomes = append(outcomes, o)
		mu.Unlock()
	}
	work := make(chan replay.Scenario)
	var playing sync.WaitGroup
	for range 6 {
		playing.Add(1)
		go func() {
			defer playing.Done()
			for s := range work {
				play(s)
			}
		}()
	}
	for _, s := range all {
		if !s.Alone {
			work <- s
		}
	}
	close(work)
	playing.Wait()
	for _, s := range all {
		if s.Alone {
			play(s)
		}
	}

	sort.Slice(outcomes, func(i, j int) bool { return outcomes[i].scenario.ID < outcomes[j].scenario.ID })
	var tally replay.Tally
	allowed := map[string][]string{}
	for _, o := range outcomes {
		tally.Add(o.scenario.Covers, o.diffs == nil)
		if o.diffs == nil {
			continue
		}
		line := replayText(o.scenario)
		why := whyLater(o.scenario, line)
		if players[o.scenario.Setup] == nil {
			why = "the set-up " + o.scenario.Setup + " comes later"
		}
		if why != "" {
			allowed[why] = append(allowed[why], o.scenario.ID)
			continue
		}
		for i, d := range o.diffs {
			if len(d) > 600 {
				o.diffs[i] = d[:600] + "…"
			}
		}
		t.Errorf("%s step %d: %s", o.scenario.ID, o.step, strings.Join(o.diffs[:min(4, len(o.diffs))], "; "))
	}
	good, total := tally.Sum()
	fmt.Printf("corpus %s: %d/%d\n%s", name, good, total, tally.String())
	for why, ids := range allowed {
		fmt.Printf("not yet (%s): %s\n", why, strings.Join(ids, " "))
	}
}

// replayText is the line of a scenario.
func replayText(s replay.Scenario) string {
	text, err := jsonText(s.Doc)
	if err != nil {
		return s.ID
	}
	return text
}
