package bot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"petrel"
	"petrel/auth"
	"petrel/bot"
	"petrel/bot/bottest"
	"petrel/storage"
)

func TestBot_KeepsThePaceOfAChannel(t *testing.T) {
	const pace = 100 * time.Millisecond
	_, c, _ := chat(t, bot.Limits{Pace: pace})
	for i := range 6 {
		c.Say(t, "U-ann", "ops", fmt.Sprintf("!talk number %d", i), fmt.Sprint("e", i))
	}
	all := c.Until(t, "ops", bottest.Replied(6))
	for i, m := range all {
		if !strings.Contains(m.Text, fmt.Sprintf("number %d", i)) {
			t.Errorf("message %d is %q", i, m.Text)
		}
	}
	times := c.Times()
	for i := 1; i < len(times); i++ {
		if gap := times[i].Sub(times[i-1]); gap < pace*8/10 {
			t.Errorf("sending %d came %v after the one before", i, gap)
		}
	}
}

func TestBot_HonoursRetryAfterAndKeepsTheOrder(t *testing.T) {
	_, c, _ := chat(t, bot.Limits{})
	c.Fail(&bot.SendError{RetryIn: 3 * time.Second, Err: errors.New("429")})
	start := time.Now()
	c.Say(t, "U-ann", "ops", "!talk first", "e1")
	c.Until(t, "ops", func([]bottest.Shown) bool { return len(c.Times()) > 0 })
	c.Say(t, "U-ann", "ops", "!talk second", "e2")
	c.Say(t, "U-ann", "elsewhere", "!talk other channel", "e3")
	c.Until(t, "elsewhere", bottest.Replied(1))
	if took := time.Since(start); took > 2500*time.Millisecond && slack == 1 {
		t.Errorf("another channel waited %v", took)
	}
	all := c.Until(t, "ops", bottest.Replied(2))
	if took := time.Since(start); took < 2900*time.Millisecond {
		t.Errorf("it was sent again after %v, the service asked for 3 s", took)
	}
	if !strings.Contains(all[0].Text, "first") || !strings.Contains(all[1].Text, "second") {
		t.Errorf("the order is lost: %+v", all)
	}
}

func TestBot_LooksForAMessageWhoseAnswerWasLost(t *testing.T) {
	_, c, _ := chat(t, bot.Limits{})
	c.LoseAnswer(1)
	c.Say(t, "U-ann", "ops", "!talk once", "e1")
	c.Until(t, "ops", bottest.Replied(1))
	c.Say(t, "U-ann", "ops", "!talk twice", "e2")
	c.Until(t, "ops", bottest.Replied(2))
}

// blind is a chat without the ability to find messages.
type blind struct{ *bottest.Chat }

func (b blind) Find() {} // not bot.Finder

func TestBot_MarksWhatItCannotKnow(t *testing.T) {
	h := bottest.NewHouse(t)
	h.Link("fake", "w", "U-ann", "ann")
	c := bottest.NewChat("fake", bot.Limits{})
	c.LoseAnswer(1)
	h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{blind{c}} })
	c.Say(t, "U-ann", "ops", "!nonsense", "e1")
	c.Until(t, "ops", func(all []bottest.Shown) bool { return len(all) == 1 })
	deadline := time.Now().Add(bottest.Patience)
	for {
		posts, err := h.Store.PostList(context.Background(), storage.PostFilter{Adapter: "fake"})
		if err != nil {
			t.Fatal(err)
		}
		if len(posts) == 1 && posts[0].State == petrel.PostMaybeSent {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", posts)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestBot_PostsAnewWhatSomebodyDeleted(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!talk wait", "e1")
	all := c.Until(t, "ops", func(all []bottest.Shown) bool { return len(all) == 1 })
	c.Delete(all[0].ID)
	h.Runner.Release()
	c.Until(t, "ops", bottest.Replied(1))
}

func TestBot_GivesUpWhatCannotBeSent(t *testing.T) {
	_, c, _ := chat(t, bot.Limits{})
	c.Fail(&bot.SendError{Permanent: true, Err: errors.New("is_archived")})
	c.Say(t, "U-ann", "ops", "!nonsense", "e1")
	c.Say(t, "U-ann", "ops", "!talk after", "e2")
	all := c.Until(t, "ops", bottest.Replied(1))
	if !strings.Contains(all[0].Text, "after") {
		t.Errorf("%+v", all)
	}
}

func TestBot_TwoOnOneStoreAnswerOnce(t *testing.T) {
	h := bottest.NewHouse(t)
	h.Link("fake", "w", "U-ann", "ann")
	c := bottest.NewChat("fake", bot.Limits{})
	for range 2 {
		h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })
	}
	const n = 20
	for i := range n {
		c.Say(t, "U-ann", "ops", fmt.Sprintf("!talk %d", i), fmt.Sprint("e", i))
	}
	c.Until(t, "ops", bottest.Replied(n))
	if got := len(h.Executions()); got != n {
		t.Errorf("%d runs", got)
	}
}

func TestBot_StartsOneRunForEachMatch(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!see AB-1 and CD-22", "e1")
	c.Until(t, "ops", bottest.Replied(2))
	if n := len(h.Executions()); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func TestBot_RunStartsTheNamedActionItself(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", `!st2 run test.talk say="hello you" times=2 tags=a,b`, "e1")
	m := c.Until(t, "ops", bottest.Replied(1))[0]
	if !strings.Contains(m.Text, "hello you\nhello you") {
		t.Errorf("%q", m.Text)
	}
	x := h.Executions()
	if len(x) != 1 || x[0].Action.Ref != "test.talk" {
		t.Fatalf("%+v", x)
	}
	if p := string(x[0].Parameters); !strings.Contains(p, `"tags":["a","b"]`) || !strings.Contains(p, `"times":2`) {
		t.Errorf("parameters %s", p)
	}
	c.Say(t, "U-ann", "ops", `!st2 run test.noop`, "e2")
	c.Until(t, "ops", bottest.Replied(2))
}

func TestBot_AsksWhoMay(t *testing.T) {
	h := bottest.NewHouse(t, func(c *auth.Config) { c.Enforced = true })
	c := bottest.NewChat("fake", bot.Limits{})
	h.Link("fake", "w", "U-ann", "ann")
	h.Link("fake", "w", "U-bob", "bob")
	h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters = []bot.Adapter{c} })
	c.Say(t, "U-bob", "ops", "!talk hello password=topsecretword", "e1")
	all := c.Until(t, "ops", bottest.Replied(1))
	if !strings.Contains(all[0].Text, "may not run test.talk") || !strings.Contains(all[0].Text, "role admin") {
		t.Errorf("%q", all[0].Text)
	}
	if n := len(h.Executions()); n != 0 {
		t.Errorf("%d runs", n)
	}
	c.Say(t, "U-ann", "ops", "!talk wait", "e2")
	all = c.Until(t, "ops", func(all []bottest.Shown) bool { return len(all) == 2 && len(all[1].Message.Choices) == 1 })
	c.Click(t, "U-bob", all[1], "cancel", "c1")
	all = c.Until(t, "ops", func(all []bottest.Shown) bool { return len(all) == 3 })
	if !strings.Contains(all[2].Text, "may not cancel") {
		t.Errorf("%q", all[2].Text)
	}
	h.Runner.Release()
	entries, err := h.Store.AuditList(context.Background(), storage.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var refused, allowed int
	for _, e := range entries {
		if strings.Contains(string(e.Arguments), "topsecretword") {
			t.Errorf("a secret is in the audit: %s", e.Arguments)
		}
		if e.Allowed {
			allowed++
		} else {
			refused++
		}
	}
	if refused < 2 || allowed < 1 {
		t.Errorf("audit: %+v", entries)
	}
}

func TestBot_KnowsNewCommandsFromTheNextLine(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!brand new x", "e1")
	c.Until(t, "ops", bottest.Replied(1))
	a := petrel.Alias{ID: petrel.NewID(time.Now()), UID: "action_alias:test:new", Ref: "test.new", Pack: "test", Name: "new", Enabled: true, ActionRef: "test.talk",
		Formats: []petrel.AliasFormat{{Display: "brand new {{ say }}", Representations: []string{"brand new {{ say }}"}, Bare: true}}}
	if err := h.Store.CreateAlias(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	c.Say(t, "U-ann", "ops", "!brand new x", "e2")
	all := c.Until(t, "ops", bottest.Replied(2))
	if all[1].Message.Status != petrel.StatusSucceeded {
		t.Errorf("%+v", all[1])
	}
}

func TestBot_HearsOnlyWhatIsSaidToIt(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "talk hello", "e1")
	c.Say(t, "U-ann", "ops", "do nothing", "e2")
	c.Say(t, "U-ann", "ops", "!do nothing", "e3")
	c.Until(t, "ops", bottest.Replied(1))
	if n := len(h.Executions()); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestBot_TakesQuotesFromPhones(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!do\u00a0nothing", "e1")
	c.Until(t, "ops", bottest.Replied(1))
	if n := len(h.Executions()); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestBot_ASuggestionCanBeClicked(t *testing.T) {
	h, c, _ := chat(t, bot.Limits{})
	c.Say(t, "U-ann", "ops", "!do nothnig", "e1")
	all := c.Until(t, "ops", bottest.Replied(1))
	if len(all[0].Message.Choices) != 1 || all[0].Message.Choices[0].Value != "do nothing" {
		t.Fatalf("%+v", all[0].Message)
	}
	c.Click(t, "U-ann", all[0], all[0].Message.Choices[0].ID, "c1")
	c.Until(t, "ops", bottest.Replied(2))
	if n := len(h.Executions()); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestBot_DefaultUserStandsForStrangers(t *testing.T) {
	h := bottest.NewHouse(t)
	c := bottest.NewChat("fake", bot.Limits{})
	h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters, cfg.DefaultUser = []bot.Adapter{c}, "bob" })
	c.Say(t, "U-carl", "ops", "!do nothing", "e1")
	c.Until(t, "ops", bottest.Replied(1))
	if x := h.Executions(); len(x) != 1 || x[0].User != "bob" {
		t.Errorf("%+v", x)
	}
}

func TestBot_WaitsForAStoreThatIsAway(t *testing.T) {
	h := bottest.NewHouse(t)
	h.Link("fake", "w", "U-ann", "ann")
	c := bottest.NewChat("fake", bot.Limits{})
	away := &awayStore{Store: h.Store, left: 3}
	h.Bot(h.Engine(), func(cfg *bot.Config) { cfg.Adapters, cfg.Store = []bot.Adapter{c}, away })
	c.Say(t, "U-ann", "ops", "!do nothing", "e1")
	c.Until(t, "ops", bottest.Replied(1))
}

// awayStore is away for the first look-ups of aliases.
type awayStore struct {
	bot.Store
	left int
}

func (a *awayStore) Generations(ctx context.Context) (map[storage.Kind]int64, error) {
	if a.left--; a.left >= 0 {
		return nil, petrel.Errorf(petrel.Unavailable, "the database is away")
	}
	return a.Store.Generations(ctx)
}

// lostAnswers is a store whose next claims are stored and whose answers get lost.
type lostAnswers struct {
	bot.Store
	events, posts atomic.Int32
}

var errUnknown = petrel.Errorf(petrel.Unknown, "the commit was sent and no answer came")

func (l *lostAnswers) ClaimChatEvents(ctx context.Context, owner string, ids []petrel.ID, limit int) ([]petrel.ChatEvent, error) {
	out, err := l.Store.ClaimChatEvents(ctx, owner, ids, limit)
	if len(out) > 0 && l.events.Add(-1) >= 0 {
		return nil, errUnknown
	}
	return out, err
}

func (l *lostAnswers) ClaimPosts(ctx context.Context, owner string, adapters []string, limit int) ([]petrel.Post, error) {
	out, err := l.Store.ClaimPosts(ctx, owner, adapters, limit)
	if len(out) > 0 && l.posts.Add(-1) >= 0 {
		return nil, errUnknown
	}
	return out, err
}

func TestBot_FindsWhatItClaimedWithoutAnAnswer(t *testing.T) {
	h := bottest.NewHouse(t)
	h.Link("fake", "w", "U-ann", "ann")
	c := bottest.NewChat("fake", bot.Limits{})
	store := &lostAnswers{Store: h.Store}
	store.events.Store(1)
	store.posts.Store(2)
	h.Bot(h.Engine(), func(cfg *bot.Config) {
		cfg.Adapters, cfg.Store, cfg.Sweep = []bot.Adapter{c}, store, 50*time.Millisecond
	})
	c.Say(t, "U-ann", "ops", "!talk hello", "e1")
	c.Until(t, "ops", bottest.Replied(1))
	if n := len(h.Executions()); n != 1 {
		t.Errorf("%d runs", n)
	}
}
