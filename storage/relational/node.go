package relational

import (
	"context"
	"encoding/json"
	"time"

	"petrel"
	"petrel/storage/rows"
)

// nodeKept is how long the row of a dead node that owns nothing is kept.
const nodeKept = 24 * time.Hour

// RegisterNode stores a node with a lease from now.
func (s Store) RegisterNode(ctx context.Context, n petrel.Node, lease time.Duration) error {
	var c rows.Check
	c.ID("id", n.ID)
	c.Need("incarnation", n.Incarnation)
	c.Text("host", n.Host)
	c.Text("state_dir", n.StateDir)
	c.Text("version", n.Version)
	if c.Err() != nil {
		return c.Err()
	}
	roles, err := json.Marshal(n.Roles)
	if err != nil {
		return err
	}
	c.Text("roles", string(roles))
	if c.Err() != nil {
		return c.Err()
	}
	return s.Write(ctx, Lease, func(ctx context.Context, q Query) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		if n.StateDir != "" {
			_, err := q.Exec(ctx, `update node set dead = $1 where host = $2 and state_dir = $3 and incarnation <> $4 and not dead`, true, n.Host, n.StateDir, n.Incarnation)
			if err != nil {
				return err
			}
		}
		added, err := q.Exec(ctx, `insert into node (incarnation, id, host, pid, roles, state_dir, started_at, lease_until, dead, version)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (incarnation) do nothing`,
			n.Incarnation, string(n.ID), n.Host, n.PID, string(roles), n.StateDir, rows.Micros(n.StartedAt), now+lease.Microseconds(), false, n.Version)
		if err == nil && added == 0 {
			return conflict(n.ID, "There is already a node with the incarnation %s.", n.Incarnation)
		}
		return err
	})
}

// RenewNode pushes the lease.
func (s Store) RenewNode(ctx context.Context, incarnation string, lease time.Duration) error {
	return s.Write(ctx, Lease, func(ctx context.Context, q Query) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		n, err := q.Exec(ctx, `update node set lease_until = $2 where incarnation = $1 and not dead`, Searchable(incarnation), now+lease.Microseconds())
		if err == nil && n == 0 {
			return petrel.Errorf(petrel.NotOwner, "The node %s was marked dead.", incarnation)
		}
		return err
	})
}

// RetireNode marks the node dead at its own wish.
func (s Store) RetireNode(ctx context.Context, incarnation string) error {
	return s.Write(ctx, Lease, func(ctx context.Context, q Query) error {
		n, err := q.Exec(ctx, `update node set dead = $2 where incarnation = $1`, Searchable(incarnation), true)
		if err == nil && n == 0 {
			return notFound("The node %s cannot be found.", incarnation)
		}
		return err
	})
}

// MarkDead marks the nodes whose lease ran out.
func (s Store) MarkDead(ctx context.Context) ([]string, error) {
	var dead []string
	err := s.Write(ctx, Lease, func(ctx context.Context, q Query) error {
		now, err := q.Now(ctx)
		if err != nil {
			return err
		}
		if dead, err = texts[string](ctx, q, `update node set dead = $2 where not dead and lease_until < $1 returning incarnation`, now, true); err != nil {
			return err
		}
		// Rows of nodes long dead go, unless something still names them as its owner.
		_, err = q.Exec(ctx, `delete from node where dead and lease_until < $1
			and not exists (select 1 from live where live.owner = node.incarnation)
			and not exists (select 1 from post where post.state = 'sending' and post.owner = node.incarnation)`, now-nodeKept.Microseconds())
		return err
	})
	return dead, err
}

// NodeList lists nodes by the time they started.
func (s Store) NodeList(ctx context.Context) ([]petrel.Node, error) {
	var all []petrel.Node
	err := s.Read(ctx, func(ctx context.Context, q Query) error {
		all = nil
		return each(ctx, q, func(scan func(...any) error) error {
			var n petrel.Node
			var id, roles string
			var started, lease int64
			if err := scan(&n.Incarnation, &id, &n.Host, &n.PID, &roles, &n.StateDir, &started, &lease, &n.Dead, &n.Version); err != nil {
				return err
			}
			n.ID, n.StartedAt, n.LeaseUntil = petrel.ID(id), rows.Time(started), rows.Time(lease)
			if err := json.Unmarshal([]byte(roles), &n.Roles); err != nil {
				return err
			}
			all = append(all, n)
			return nil
		}, `select incarnation, id, host, pid, roles, state_dir, started_at, lease_until, dead, version from node order by started_at, incarnation`)
	})
	return all, err
}
