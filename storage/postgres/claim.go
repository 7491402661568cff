package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"petrel"
	"petrel/storage"
	"petrel/storage/relational"
	"petrel/storage/rows"
)

// claimSpare is how many more candidates than wanted are looked at, times the
// limit: other claimers may hold the first ones.
const claimSpare = 4

// Claim gives due runs to an owner. Rows that another claim has locked are
// stepped over, so that claimers do not wait for each other.
func (s *Store) Claim(ctx context.Context, c storage.Claim) ([]petrel.Execution, error) {
	if err := relational.CheckClaim(&c); err != nil || c.Limit <= 0 {
		return nil, err
	}
	var claimed []petrel.Execution
	err := s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error {
		claimed = nil
		var dead bool
		err := q.conn.QueryRow(ctx, `select dead from node where incarnation = $1`, c.Owner).Scan(&dead)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return q.lost(err)
		}
		if dead {
			return petrel.Errorf(petrel.NotOwner, "The node %s was marked dead.", c.Owner)
		}
		ids := make([]string, 0, len(c.IDs))
		for _, id := range c.IDs {
			if id.Valid() {
				ids = append(ids, string(id))
			}
		}
		if len(c.IDs) == 0 {
			found, err := s.Candidates(ctx, q, c.Lanes, c.Limit*claimSpare, q.now)
			if err != nil {
				return err
			}
			for _, f := range found {
				ids = append(ids, string(f.ID))
			}
		}
		if len(ids) == 0 {
			return nil
		}
		got, err := s.take(ctx, q, c, ids)
		if err != nil || len(got) == 0 {
			return err
		}
		claimed, err = s.Claimed(ctx, q, got)
		return err
	})
	if err != nil {
		return nil, mapError(err)
	}
	s.Served(claimed)
	return claimed, nil
}

// take locks and changes the first free rows, in the order they are given in.
func (s *Store) take(ctx context.Context, q *query, c storage.Claim, ids []string) ([]string, error) {
	lanes := make([]string, 0, len(rows.Lanes))
	for _, lane := range c.Lanes {
		lanes = append(lanes, string(lane))
	}
	if len(lanes) == 0 {
		for _, lane := range rows.Lanes {
			lanes = append(lanes, string(lane))
		}
	}
	result, err := q.conn.Query(ctx, `select l.id from unnest($1::text[]) with ordinality as u(id, n) join live l on l.id = u.id
		where l.due <= $2 and l.status in ('requested', 'delayed') and l.lane = any($3) order by u.n limit $4 for update of l skip locked`,
		ids, q.now, lanes, c.Limit)
	if err != nil {
		return nil, q.lost(err)
	}
	got, err := pgx.CollectRows(result, pgx.RowTo[string])
	if err != nil || len(got) == 0 {
		return nil, q.lost(err)
	}
	straight := c.Straight
	if straight == nil {
		straight = []string{}
	}
	plain := c
	plain.Straight = []string{""}
	_, scheduled := relational.ClaimedStatus(c, "\x00")
	_, running := relational.ClaimedStatus(plain, "")
	n, err := q.Exec(ctx, `update live set owner = $2, host = $3, pid = $4, attempt = attempt + 1, revision = revision + 1,
		status = case when runner = any($5) then 'running' else 'scheduled' end, log = log || case when runner = any($5) then $6 else $7 end
		where id = any($1) and status in ('requested', 'delayed')`, got, c.Owner, c.Host, c.PID, straight, running, scheduled)
	if err == nil && n != int64(len(got)) {
		err = petrel.Errorf(petrel.Internal, "%d of %d locked rows were claimed.", n, len(got))
	}
	return got, err
}

// Start commits "running" before the first side effect.
func (s *Store) Start(ctx context.Context, batch []storage.Start) []error {
	return s.groups.start.do(ctx, batch)
}

func (s *Store) startAll(ctx context.Context, batch []storage.Start) []error {
	var errs []error
	for _, p := range distinct(batch, func(b storage.Start) []string { return []string{string(b.ID)} }) {
		errs = append(errs, halves(p,
			func(batch []storage.Start) ([]error, error) { return s.startTogether(ctx, batch) },
			func(one storage.Start) error { return s.startOne(ctx, one) })...)
	}
	return errs
}

func (s *Store) startTogether(ctx context.Context, batch []storage.Start) ([]error, error) {
	var errs []error
	err := s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error {
		errs = make([]error, len(batch))
		var ids, owners, logs []string
		var attempts []int64
		for i, b := range batch {
			if !b.ID.Valid() {
				errs[i] = relational.NotOwner(b.ID, b.Owner, b.Attempt)
				continue
			}
			ids, owners = append(ids, string(b.ID)), append(owners, relational.Searchable(b.Owner))
			logs, attempts = append(logs, rows.LogText(petrel.StatusRunning, b.At)), append(attempts, int64(b.Attempt))
		}
		if err := q.lockLive(ctx, ids); err != nil {
			return err
		}
		started, err := q.ids(ctx, `update live l set status = 'running', log = l.log || u.log, revision = l.revision + 1
			from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) as u(id, owner, attempt, log)
			where l.id = u.id and l.owner = u.owner and l.attempt = u.attempt and l.status = 'scheduled' returning l.id`, ids, owners, attempts, logs)
		if err != nil {
			return err
		}
		tokens := &pgx.Batch{}
		for i, b := range batch {
			switch {
			case errs[i] != nil:
			case !started[string(b.ID)]:
				errs[i] = relational.NotOwner(b.ID, b.Owner, b.Attempt)
			case b.Token != nil:
				if relational.CheckToken(*b.Token) != nil {
					return errHalve
				}
				tokens.Queue(relational.TokenInsert, relational.TokenArgs(*b.Token)...)
			}
		}
		changed, err := q.send(ctx, tokens)
		for _, n := range changed {
			if n == 0 {
				return errHalve
			}
		}
		return err
	})
	return errs, err
}

func (s *Store) startOne(ctx context.Context, b storage.Start) error {
	return mapError(s.transact(ctx, relational.Rest, func(ctx context.Context, q *query) error { return relational.StartOne(ctx, q, b) }))
}

// lockLive locks moving parts in the order of their ids.
func (q *query) lockLive(ctx context.Context, ids []string) error {
	_, err := q.ids(ctx, `select id from live where id = any($1) order by id for update`, ids)
	return err
}
