package bot

import (
	"context"
	"strings"
	"sync"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/storage"
)

func dictOf(raw petrel.JSON) *value.Dict {
	d, _ := parse(raw).(*value.Dict)
	return d
}

// maxLive bounds how many runs have a progress line at once on a node; those beyond
// it are answered as well, without one.
const maxLive = 2000

// live holds the runs whose messages show a progress line on this node.
type live struct {
	mu   sync.Mutex
	runs map[petrel.ID]*liveRun
	wake chan struct{}
}

type liveRun struct {
	since    time.Time
	seq      int64 // output read so far
	last     string
	fresh    bool      // there is output that was not read
	shown    time.Time // the last change of the line
	statused bool      // its status changed to one worth showing at once
}

func newLive() *live { return &live{runs: map[petrel.ID]*liveRun{}, wake: make(chan struct{}, 1)} }

// watch begins to show the progress of a run.
func (l *live) watch(id petrel.ID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs[id] == nil && len(l.runs) < maxLive {
		l.runs[id] = &liveRun{since: now, shown: now, fresh: true}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

func (l *live) forget(id petrel.ID) {
	l.mu.Lock()
	delete(l.runs, id)
	l.mu.Unlock()
}

func (l *live) with(id petrel.ID, do func(*liveRun)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[id]
	if r != nil {
		do(r)
	}
	return r != nil
}

func (l *live) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs) == 0
}

// due lists the runs whose line should change: those that printed something, and
// all now and then, so that the time goes on.
func (l *live) due(now time.Time, every time.Duration) []petrel.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []petrel.ID
	for id, r := range l.runs {
		quiet := every
		if age := now.Sub(r.since); age > time.Minute {
			quiet = max(every, 10*time.Second)
		} else if age > 10*time.Second {
			quiet = max(every, 2*time.Second)
		}
		if since := now.Sub(r.shown); since >= quiet || since >= every && (r.fresh || r.statused) {
			out = append(out, id)
		}
	}
	return out
}

// hearFeed listens to what runs print and how their statuses change. When it
// is cut off it listens again.
func (b *Bot) hearFeed(ctx context.Context, sub *queue.Subscription) {
	for {
		for event := range sub.C {
			switch event.Kind {
			case "output":
				b.live.with(event.ID, func(r *liveRun) { r.fresh = true })
			case "execution":
				b.live.with(event.ID, func(r *liveRun) { r.statused = r.statused || !quietly(petrel.StatusRunning, event.Status) })
			}
		}
		if ctx.Err() != nil {
			return
		}
		b.cfg.Log.Warn("The bot fell behind the feed and listens anew.", "error", sub.Err())
		for {
			next, err := b.cfg.Feed.Listen(ctx)
			if err == nil {
				sub = next
				break
			}
			if ctx.Err() != nil {
				return
			}
			b.cfg.Log.Warn("The feed cannot be heard; progress lines stand still.", "error", err)
			wait(ctx, receiveBackoff)
		}
	}
}

// showProgress changes the progress lines of running runs. It sleeps while
// there are none.
func (b *Bot) showProgress(ctx context.Context) {
	for ctx.Err() == nil {
		if b.live.empty() {
			select {
			case <-ctx.Done():
				return
			case <-b.live.wake:
			}
		}
		wait(ctx, b.cfg.Progress/4)
		changed := false
		for _, id := range b.live.due(b.cfg.Now(), b.cfg.Progress) {
			if ctx.Err() != nil {
				return
			}
			changed = b.progress(ctx, id) || changed
		}
		if changed {
			b.pokePosts()
		}
	}
}

// progress renders the messages of one run anew and says whether any changed.
func (b *Bot) progress(ctx context.Context, id petrel.ID) bool {
	var seq int64
	var last string
	var fresh bool
	now := b.cfg.Now()
	if !b.live.with(id, func(r *liveRun) {
		seq, last, fresh = r.seq, r.last, r.fresh
		r.fresh, r.statused, r.shown = false, false, now
	}) {
		return false
	}
	x, err := b.cfg.Store.Execution(ctx, id)
	if err != nil || x.Status.Final() {
		b.live.forget(id)
		return false
	}
	if fresh {
		seq, last = b.lastLine(ctx, id, seq, last)
		b.live.with(id, func(r *liveRun) { r.seq, r.last = seq, last })
	}
	posts, err := b.cfg.Store.PostList(ctx, storage.PostFilter{ExecutionID: id})
	if err != nil {
		return false
	}
	changed := false
	for _, p := range posts {
		if p.Final {
			continue
		}
		before, err := DecodeMessage(p.Body)
		if err != nil {
			continue
		}
		s, err := b.scene(ctx, x, b.aliasOf(ctx, x), before.To, p.Adapter)
		if err != nil {
			continue
		}
		s.LastLine = last
		body := RenderRunning(ctx, s).Encode()
		if string(body) == string(p.Body) {
			continue
		}
		if _, err := b.cfg.Store.RevisePost(ctx, p.ID, body, false); err == nil {
			changed = true
		}
	}
	if len(posts) == 0 {
		b.live.forget(id)
	}
	return changed
}

// lastLine reads on in a run's output and gives its last line that shows something.
func (b *Bot) lastLine(ctx context.Context, id petrel.ID, seq int64, last string) (int64, string) {
	const page = 200
	for {
		chunks, err := b.cfg.Store.OutputList(ctx, id, "", seq, page)
		if err != nil {
			return seq, last
		}
		for _, c := range chunks {
			seq = c.Seq
			for rest := strings.TrimRight(c.Data, "\r\n"); rest != ""; {
				cut := strings.LastIndexAny(rest, "\r\n")
				if line := strings.TrimSpace(Clean(rest[cut+1:])); line != "" {
					last = line
					break
				}
				if cut < 0 {
					break
				}
				rest = strings.TrimRight(rest[:cut], "\r\n")
			}
		}
		if len(chunks) < page {
			return seq, last
		}
	}
}
