package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestPacer_MemoryIsBounded(t *testing.T) {
	at := time.Now()
	p := newPacer(Pace{Entries: 100}, func() time.Time { return at })
	for i := range 10_000 {
		p.failed(fmt.Sprint("user", i), fmt.Sprint("address", i))
		if err := p.check("somebody", "else"); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.buckets) > 100 || p.order.Len() != len(p.buckets) {
		t.Errorf("%d buckets, %d in order", len(p.buckets), p.order.Len())
	}
}
