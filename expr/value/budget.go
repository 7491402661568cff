package value

import (
	"context"
	"strconv"
	"time"
)

// Limits bound one evaluation. A zero field means its default.
type Limits struct {
	// Steps is the number of operations and loop turns; default 1,000,000.
	Steps int64
	// Bytes is the sum of what the evaluation builds; default 16 MiB.
	Bytes int64
	// Output is the size of the text a template may give; default 1 MiB.
	Output int64
	// Depth is the nesting of calls and of data that is walked; default 200.
	Depth int
	// Time is how long it may run; default 1 s.
	Time time.Duration
}

// Default values of Limits.
const (
	DefaultSteps  = 1_000_000
	DefaultBytes  = 16 << 20
	DefaultOutput = 1 << 20
	DefaultDepth  = 200
	DefaultTime   = time.Second
)

// WithDefaults fills in the zero fields.
func (l Limits) WithDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = DefaultSteps
	}
	if l.Bytes == 0 {
		l.Bytes = DefaultBytes
	}
	if l.Output == 0 {
		l.Output = DefaultOutput
	}
	if l.Depth == 0 {
		l.Depth = DefaultDepth
	}
	if l.Time == 0 {
		l.Time = DefaultTime
	}
	return l
}

// maxUnbudgeted bounds a single allocation of an operation without a Budget.
const maxUnbudgeted = 64 << 20

// clockEvery is how many steps pass between two looks at the clock and the
// context: often enough for a limit of milliseconds, too rarely to cost.
const clockEvery = 1024

// Budget counts the work of one evaluation. It belongs to one goroutine. A nil
// Budget is valid: it counts nothing and refuses only single huge results.
type Budget struct {
	lim       Limits
	ctx       context.Context
	start     time.Time
	steps     int64
	nextClock int64
	bytes     int64
	depth     int
}

// NewBudget starts a budget. The clock runs from now.
func NewBudget(ctx context.Context, lim Limits) *Budget {
	b := &Budget{}
	b.Reset(ctx, lim)
	return b
}

// Reset makes a used budget new, so that it can be kept in another struct.
func (b *Budget) Reset(ctx context.Context, lim Limits) {
	lim = lim.WithDefaults()
	*b = Budget{lim: lim, ctx: ctx, nextClock: min(clockEvery, lim.Steps+1)}
}

// Limits are the limits with their defaults filled in.
func (b *Budget) Limits() Limits {
	if b == nil {
		return Limits{}.WithDefaults()
	}
	return b.lim
}

// Context is the context of the evaluation, never nil.
func (b *Budget) Context() context.Context {
	if b == nil || b.ctx == nil {
		return context.Background()
	}
	return b.ctx
}

// Step counts n operations.
func (b *Budget) Step(n int) error {
	if b == nil {
		return nil
	}
	b.steps += int64(n)
	if b.steps < b.nextClock {
		return nil
	}
	return b.slowStep()
}

func (b *Budget) slowStep() error {
	if b.steps > b.lim.Steps {
		return &LimitError{Limit: "steps", Max: strconv.FormatInt(b.lim.Steps, 10)}
	}
	// The clock starts at the first look: a short evaluation never reads it.
	b.nextClock = min(b.steps+clockEvery, b.lim.Steps+1)
	return b.CheckTime()
}

// CheckTime looks at the clock and the context now; operations that may take
// long by themselves call it.
func (b *Budget) CheckTime() error {
	if b == nil {
		return nil
	}
	now := time.Now()
	if b.start.IsZero() {
		b.start = now
	} else if now.Sub(b.start) > b.lim.Time {
		return &LimitError{Limit: "of time", Max: b.lim.Time.String()}
	}
	if b.ctx != nil {
		return b.ctx.Err()
	}
	return nil
}

// Left is the time that is left, at least a millisecond.
func (b *Budget) Left() time.Duration {
	if b == nil {
		return DefaultTime
	}
	now := time.Now()
	if b.start.IsZero() {
		b.start = now
	}
	return max(b.lim.Time-now.Sub(b.start), time.Millisecond)
}

// Alloc asks for n bytes before they are built.
func (b *Budget) Alloc(n int64) error {
	if b == nil {
		if n > maxUnbudgeted || n < 0 {
			return &LimitError{Limit: "bytes", Max: strconv.Itoa(maxUnbudgeted)}
		}
		return nil
	}
	if n < 0 || n > b.lim.Bytes-b.bytes {
		return &LimitError{Limit: "bytes", Max: strconv.FormatInt(b.lim.Bytes, 10)}
	}
	b.bytes += n
	return nil
}

// ValueSize is what one item of a list counts in bytes.
const ValueSize = 16

// AllocItems asks for a list of n items; it counts n steps as well.
func (b *Budget) AllocItems(n int64) error {
	if n < 0 || n > 1<<40 {
		n = 1 << 40
	}
	if err := b.Alloc(n * ValueSize); err != nil {
		return err
	}
	return b.Step(int(n))
}

// Enter goes one level deeper; each success needs a Leave.
func (b *Budget) Enter() error {
	if b == nil {
		return nil
	}
	if b.depth >= b.lim.Depth {
		return &LimitError{Limit: "levels of depth", Max: strconv.Itoa(b.lim.Depth)}
	}
	b.depth++
	return nil
}

// Leave goes one level up.
func (b *Budget) Leave() {
	if b != nil {
		b.depth--
	}
}
