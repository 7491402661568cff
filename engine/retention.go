package engine

import (
	"context"
	"time"
)

// purgeLimit is how much one call removes, so that nobody waits long behind it.
const purgeLimit = 200

// tidying removes what is older than it is to be kept, in small steps.
func (e *Engine) tidying() {
	tick := time.NewTicker(e.cfg.Tidy)
	defer tick.Stop()
	for {
		for _, old := range []struct {
			what  string
			keep  time.Duration
			purge func(ctx context.Context, before time.Time, limit int) (int, error)
		}{
			{"executions", e.cfg.KeepExecutions, e.cfg.Store.PurgeExecutions},
			{"tokens", e.cfg.KeepTokens, e.cfg.Store.PurgeTokens},
			{"chats", e.cfg.KeepChats, e.cfg.Store.PurgeChats},
		} {
			if old.keep <= 0 {
				continue
			}
			for more := true; more && e.life.Err() == nil; {
				ctx, cancel := context.WithTimeout(e.life, storeTimeout)
				n, err := old.purge(ctx, e.now().Add(-old.keep), purgeLimit)
				cancel()
				if err != nil {
					if e.life.Err() == nil {
						e.cfg.Log.Warn("What is too old could not be removed; it is tried again.", "what", old.what, "error", err)
					}
					break
				}
				if n > 0 {
					e.metrics.purged.WithLabelValues(old.what).Add(float64(n))
					e.cfg.Log.Info("What was too old was removed.", "what", old.what, "count", n)
				}
				// Others write too: a pause between two steps.
				more = n >= purgeLimit && sleep(e.life, 50*time.Millisecond)
			}
		}
		select {
		case <-e.life.Done():
			return
		case <-tick.C:
		}
	}
}
