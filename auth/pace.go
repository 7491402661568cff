package auth

import (
	"container/list"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"petrel"
)

// Pace bounds how often a wrong password may be tried. Each of the three
// counts failures only, refills with time, and never locks anybody out for
// good. A zero field means the default named with it.
type Pace struct {
	// PerUserAndAddress: failures at once, and how long one takes to be forgotten; 10, 6 s.
	PerUserAndAddress int
	UserAndAddress    time.Duration
	// PerAddress: 100, 1 s.
	PerAddress int
	Address    time.Duration
	// PerUser counts a user's failures from all addresses; 100, 1 s. It is wide,
	// so that a stranger who guesses does not keep the user out.
	PerUser int
	User    time.Duration
	// Entries bounds how many users and addresses are remembered, oldest forgotten first; 10,000.
	Entries int
}

func (p Pace) withDefaults() Pace {
	set := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	every := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&p.PerUserAndAddress, 10)
	every(&p.UserAndAddress, 6*time.Second)
	set(&p.PerAddress, 100)
	every(&p.Address, time.Second)
	set(&p.PerUser, 100)
	every(&p.User, time.Second)
	set(&p.Entries, 10_000)
	return p
}

// pacer counts failures in buckets that refill with time.
type pacer struct {
	pace Pace
	now  func() time.Time

	mu      sync.Mutex
	buckets map[string]*list.Element
	order   *list.List // most recently used first
}

type paceBucket struct {
	key     string
	limiter *rate.Limiter
}

func newPacer(p Pace, now func() time.Time) *pacer {
	return &pacer{pace: p.withDefaults(), now: now, buckets: map[string]*list.Element{}, order: list.New()}
}

type paceLimit struct {
	key   string
	burst int
	every time.Duration
}

func (p *pacer) limits(user, address string) []paceLimit {
	if len(user) > 256 {
		user = user[:256]
	}
	return []paceLimit{
		{"b\x00" + user + "\x00" + address, p.pace.PerUserAndAddress, p.pace.UserAndAddress},
		{"a\x00" + address, p.pace.PerAddress, p.pace.Address},
		{"u\x00" + user, p.pace.PerUser, p.pace.User},
	}
}

// check refuses a try (TooMany) while one of its buckets is empty. It makes no
// bucket: only failures do.
func (p *pacer) check(user, address string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, l := range p.limits(user, address) {
		e, ok := p.buckets[l.key]
		if !ok {
			continue
		}
		if left := e.Value.(*paceBucket).limiter.TokensAt(now); left < 1 {
			wait := time.Duration((1 - left) * float64(l.every))
			return petrel.Errorf(petrel.TooMany, "Too many failed attempts. Try again in %d seconds.",
				int(math.Ceil(max(wait, time.Second).Seconds())))
		}
	}
	return nil
}

// failed takes one from each bucket of a try that was wrong.
func (p *pacer) failed(user, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, l := range p.limits(user, address) {
		e, ok := p.buckets[l.key]
		if ok {
			p.order.MoveToFront(e)
		} else {
			e = p.order.PushFront(&paceBucket{l.key, rate.NewLimiter(rate.Every(l.every), l.burst)})
			p.buckets[l.key] = e
		}
		e.Value.(*paceBucket).limiter.AllowN(now, 1)
	}
	for p.order.Len() > p.pace.Entries {
		oldest := p.order.Back()
		delete(p.buckets, p.order.Remove(oldest).(*paceBucket).key)
	}
}

// succeeded forgets the failures of this user from this address.
func (p *pacer) succeeded(user, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.buckets[p.limits(user, address)[0].key]; ok {
		delete(p.buckets, p.order.Remove(e).(*paceBucket).key)
	}
}
