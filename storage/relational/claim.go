package relational

import (
	"context"
	"slices"
	"sort"
	"sync"

	"petrel"
	"petrel/storage"
	"petrel/storage/rows"
)

// turns remembers when each action was last served, so that a claim of few
// rows goes on where the one before it stopped: round-robin over claims, not
// only inside one. It is fairness, not truth: every process has its own.
type turns struct {
	mu   sync.Mutex
	last map[petrel.Ref]int64
	n    int64
	from map[petrel.Lane]petrel.Ref // behind which the next look begins
}

// maxTurns bounds what turns remembers.
const maxTurns = 8192

func (t *turns) of(ref petrel.Ref) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[ref]
}

func (t *turns) next(lane petrel.Lane) petrel.Ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.from[lane]
}

func (t *turns) begin(lane petrel.Lane, after petrel.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.from == nil {
		t.from = make(map[petrel.Lane]petrel.Ref)
	}
	t.from[lane] = after
}

func (t *turns) served(refs []petrel.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil || len(t.last) > maxTurns {
		t.last = make(map[petrel.Ref]int64)
	}
	for _, ref := range refs {
		t.n++
		t.last[ref] = t.n
	}
}

// Candidate is a run that may be claimed.
type Candidate struct {
	ID   petrel.ID
	Ref  petrel.Ref
	Due  int64
	turn int // how many of the same action go before it
}

// Candidates looks for due runs in the order in which they are to be claimed:
// lane by lane, inside a lane the first run of each action, then the second of
// each, an action that was served longer ago first. It locks nothing; the
// claim decides.
func (s Store) Candidates(ctx context.Context, q Query, lanes []petrel.Lane, limit int, now int64) ([]Candidate, error) {
	if len(lanes) == 0 {
		lanes = rows.Lanes
	}
	var all []Candidate
	for _, lane := range lanes {
		looked := make(map[petrel.Ref]bool)
		for after := s.turns.next(lane); len(all) < limit; {
			refs, err := waitingWindow(ctx, q, lane, after)
			if err != nil {
				return nil, err
			}
			whole := len(refs) < maxRefs
			if whole {
				s.turns.begin(lane, "")
			} else {
				after = refs[maxRefs-1]
				s.turns.begin(lane, refs[min(limit, maxRefs)-1])
			}
			refs = slices.DeleteFunc(refs, func(ref petrel.Ref) bool { return looked[ref] })
			found, err := s.candidates(ctx, q, lane, refs, limit-len(all), now)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
			if whole || len(refs) == 0 {
				break
			}
			for _, ref := range refs {
				looked[ref] = true
			}
		}
	}
	return all, nil
}

// maxRefs is among how many waiting actions of a lane one look chooses the
// oldest and the one served longest ago. Where more wait, the looks go round
// among them, so that none costs more the more actions there are.
const maxRefs = 128

// waitingWindow lists the next actions behind one that have runs waiting in a
// lane, those at the beginning following those at the end; all of them when they are
// less than maxRefs.
func waitingWindow(ctx context.Context, q Query, lane petrel.Lane, after petrel.Ref) ([]petrel.Ref, error) {
	refs, err := waitingRefs(ctx, q, lane, after, maxRefs)
	if err != nil || after == "" || len(refs) == maxRefs {
		return refs, err
	}
	first, err := waitingRefs(ctx, q, lane, "", maxRefs-len(refs))
	for _, ref := range first {
		if ref > after {
			break
		}
		refs = append(refs, ref)
	}
	return refs, err
}

// waitingRefs lists the next n actions behind one that have runs waiting in a
// lane, in order. It jumps from action to action in the index, however many
// runs each has.
func waitingRefs(ctx context.Context, q Query, lane petrel.Lane, after petrel.Ref, n int) ([]petrel.Ref, error) {
	return texts[petrel.Ref](ctx, q, `with recursive r(ref, n) as (
			select min(action_ref), 1 from live where lane = $1 and action_ref > $2 and status in ('requested', 'delayed')
			union all
			select (select min(action_ref) from live where lane = $1 and action_ref > r.ref and status in ('requested', 'delayed')), n + 1 from r where r.ref is not null and n < $3)
		select ref from r where ref is not null`, string(lane), string(after), n)
}

func (s Store) candidates(ctx context.Context, q Query, lane petrel.Lane, refs []petrel.Ref, limit int, now int64) ([]Candidate, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	served := make(map[petrel.Ref]int64, len(refs))
	for _, ref := range refs {
		served[ref] = s.turns.of(ref)
	}
	sort.SliceStable(refs, func(i, j int) bool { return served[refs[i]] < served[refs[j]] })
	// A share for each action, doubled until the limit is reached or nothing more is there.
	for share := limit/len(refs) + 1; ; share *= 2 {
		share = min(share, limit)
		var found []Candidate
		more := false
		for _, ref := range refs {
			n := 0
			err := each(ctx, q, func(scan func(...any) error) error {
				var id string
				var due int64
				err := scan(&id, &due)
				found = append(found, Candidate{ID: petrel.ID(id), Ref: ref, Due: due, turn: n})
				n++
				return err
			}, `select id, due from live where lane = $1 and action_ref = $2 and due <= $3 and status in ('requested', 'delayed') order by due, id limit $4`,
				string(lane), string(ref), now, share)
			if err != nil {
				return nil, err
			}
			more = more || n == share && share < limit
		}
		if len(found) < limit && more {
			continue
		}
		sort.SliceStable(found, func(i, j int) bool {
			a, b := found[i], found[j]
			switch {
			case a.turn != b.turn:
				return a.turn < b.turn
			case served[a.Ref] != served[b.Ref]:
				return served[a.Ref] < served[b.Ref]
			case a.Due != b.Due:
				return a.Due < b.Due
			}
			return a.ID < b.ID
		})
		return found[:min(len(found), limit)], nil
	}
}

// Served tells the turns what was claimed.
func (s Store) Served(claimed []petrel.Execution) {
	refs := make([]petrel.Ref, len(claimed))
	for i, x := range claimed {
		refs[i] = x.Action.Ref
	}
	s.turns.served(refs)
}

// CheckClaim says what is wrong with a claim.
func CheckClaim(c *storage.Claim) error {
	var check rows.Check
	check.Need("owner", c.Owner)
	check.Name("host", c.Host)
	c.Limit = min(c.Limit, storage.MaxBatchRows)
	return check.Err()
}

// Claim gives due runs to an owner.
func (s Store) Claim(ctx context.Context, c storage.Claim) ([]petrel.Execution, error) {
	if err := CheckClaim(&c); err != nil || c.Limit <= 0 {
		return nil, err
	}
	var claimed []petrel.Execution
	err := s.Write(ctx, Rest, func(ctx context.Context, q Query) error {
		claimed = nil
		if err := notDead(ctx, q, c.Owner); err != nil {
			return err
		}
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		ids := c.IDs
		if len(ids) == 0 {
			found, err := s.Candidates(ctx, q, c.Lanes, c.Limit, now)
			if err != nil {
				return err
			}
			for _, f := range found {
				ids = append(ids, f.ID)
			}
		}
		var got []string
		for _, id := range ids {
			if len(got) >= c.Limit {
				break
			}
			taken, err := claimOne(ctx, q, c, id, now)
			if err != nil {
				return err
			}
			if taken {
				got = append(got, string(id))
			}
		}
		if len(got) == 0 {
			return nil
		}
		claimed, err = s.Claimed(ctx, q, got)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Served(claimed)
	return claimed, nil
}

// Claimed reads the runs that were claimed, in the order of their ids.
func (s Store) Claimed(ctx context.Context, q Query, ids []string) ([]petrel.Execution, error) {
	claimed, err := s.executions(ctx, q, false, ` where `+q.In("e.id", 1), q.List(ids))
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	sort.Slice(claimed, func(i, j int) bool { return place[string(claimed[i].ID)] < place[string(claimed[j].ID)] })
	return claimed, nil
}

// notDead refuses a node that was marked dead: what it took would only be
// taken away again.
func notDead(ctx context.Context, q Query, owner string) error {
	var dead bool
	found, err := one(ctx, q, []any{&dead}, `select dead from node where incarnation = $1`, owner)
	if err != nil {
		return err
	}
	if found && dead {
		return petrel.Errorf(petrel.NotOwner, "The node %s was marked dead.", owner)
	}
	return nil
}

func claimOne(ctx context.Context, q Query, c storage.Claim, id petrel.ID, now int64) (bool, error) {
	if !id.Valid() {
		return false, nil
	}
	var runner, lane string
	found, err := one(ctx, q, []any{&runner, &lane}, `select runner, lane from live where id = $1 and due <= $2 and status in ('requested', 'delayed')`+q.LockFree(), string(id), now)
	if err != nil || !found {
		return false, err
	}
	if len(c.Lanes) > 0 && !slices.Contains(c.Lanes, petrel.Lane(lane)) {
		return false, nil
	}
	status, log := ClaimedStatus(c, runner)
	n, err := q.Exec(ctx, `update live set status = $2, log = log || $3, owner = $4, host = $5, pid = $6, attempt = attempt + 1, revision = revision + 1
		where id = $1 and status in ('requested', 'delayed')`, string(id), string(status), log, c.Owner, c.Host, c.PID)
	return n > 0, err
}

// ClaimedStatus is what a run of a runner becomes when it is claimed, with
// what is added to its log. A run that goes straight to running passes
// scheduled all the same, as its log tells.
func ClaimedStatus(c storage.Claim, runner string) (petrel.Status, string) {
	log := rows.LogText(petrel.StatusScheduled, c.At)
	if slices.Contains(c.Straight, runner) {
		return petrel.StatusRunning, log + rows.LogText(petrel.StatusRunning, c.At)
	}
	return petrel.StatusScheduled, log
}

// Start commits "running" before the first side effect.
func (s Store) Start(ctx context.Context, batch []storage.Start) []error {
	return s.Each(ctx, Rest, len(batch), func(ctx context.Context, q Query, i int) error { return StartOne(ctx, q, batch[i]) })
}

// StartOne starts one attempt.
func StartOne(ctx context.Context, q Query, b storage.Start) error {
	if b.Token != nil {
		if err := CheckToken(*b.Token); err != nil {
			return err
		}
	}
	n, err := q.Exec(ctx, `update live set status = 'running', log = log || $4, revision = revision + 1
			where id = $1 and owner = $2 and attempt = $3 and status = 'scheduled'`,
		Searchable(string(b.ID)), Searchable(b.Owner), b.Attempt, rows.LogText(petrel.StatusRunning, b.At))
	if err == nil && n == 0 {
		return NotOwner(b.ID, b.Owner, b.Attempt)
	}
	if err != nil || b.Token == nil {
		return err
	}
	return createToken(ctx, q, *b.Token)
}

// NotOwner is the answer of the fence.
func NotOwner(id petrel.ID, owner string, attempt int) error {
	return &petrel.Error{Kind: petrel.NotOwner, ID: id, Message: "Attempt " + itoa(attempt) + " of execution " + rows.Shown(string(id)) + " is no longer owned by " + rows.Shown(owner) + "."}
}
