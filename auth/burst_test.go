package auth_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"petrel"
	"petrel/auth"
)

// Tries that come at once are no way round the pace of tries.
func TestLogin_ABurstOfGuessesIsPaced(t *testing.T) {
	at := newClock()
	s, _ := newService(t, auth.Config{Now: at.now, Pace: auth.Pace{PerUserAndAddress: 10}, PasswordCost: 6})
	ctx := context.Background()
	if err := s.SetPassword(ctx, "dora", "correct horse"); err != nil {
		t.Fatal(err)
	}
	const burst = 300
	var checked, paced atomic.Int64
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range burst {
		all.Go(func() {
			<-begin
			switch _, err := s.Login(ctx, "dora", "a wrong guess", "192.0.2.1"); {
			case err == auth.ErrLogin:
				checked.Add(1)
			case petrel.Is(err, petrel.TooMany):
				paced.Add(1)
			default:
				t.Errorf("a wrong guess answers %v", err)
			}
		})
	}
	close(begin)
	all.Wait()
	// Those that are being hashed when the last free try fails are checked still.
	if most := int64(10 + max(2, runtime.NumCPU())); checked.Load() > most {
		t.Errorf("%d of %d guesses made at once were checked, at most %d may be; %d were paced", checked.Load(), burst, most, paced.Load())
	}
}
