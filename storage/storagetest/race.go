package storagetest

import (
	"sync"
	"testing"

	"petrel"
	"petrel/storage"
)

// testPostRaces lets a body rendered before the end of a run meet that end: the
// post must stay to be rendered, whichever comes first.
func testPostRaces(t *testing.T, stores []storage.Store) {
	s, other := stores[0], stores[len(stores)-1]
	owner := node(t, s)
	for range 100 {
		n := newRun()
		p := post("c")
		p.ExecutionID = n.Execution.ID
		n.Posts = []petrel.Post{p}
		x := begin(t, s, owner, n)
		_, _, err := s.Cancel(bg, cancel(x.ID)) // marks the post a first time
		ok(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := other.RevisePost(bg, p.ID, petrel.JSON(`{"text":"canceling"}`), false); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := s.Finish(bg, []storage.Finish{finish(x, owner, petrel.StatusCanceled, `{}`)})[0]; err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		stale, err := s.StalePosts(bg, 10)
		ok(t, err)
		if len(stale) != 1 || stale[0].ID != p.ID {
			t.Fatalf("the end of the run is lost to the post; stale are %d", len(stale))
		}
		_, err = s.RevisePost(bg, p.ID, petrel.JSON(`{"text":"canceled"}`), true)
		ok(t, err)
	}
}
