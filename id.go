package petrel

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"
)

// ID is an object's identifier: 24 lower-case hexadecimal digits, made of four
// bytes of seconds, five bytes drawn once per process and a three byte
// counter, so that ids sort by the second they were made in.
// st2: the API treats it as a MongoDB ObjectId.
type ID string

// Valid says whether the id is 24 lower-case hexadecimal digits.
func (id ID) Valid() bool {
	if len(id) != 24 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Time is the second in which the id was made; the zero time for an id that
// is not valid.
func (id ID) Time() time.Time {
	if !id.Valid() {
		return time.Time{}
	}
	b, err := hex.DecodeString(string(id[:8]))
	if err != nil {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(b)), 0).UTC()
}

// idProcess and idCounter make ids of one process unique without asking
// anybody; they are drawn once, which is what an ObjectId prescribes.
var (
	idProcess [5]byte
	idCounter atomic.Uint32
)

func init() {
	var seed [9]byte
	if _, err := rand.Read(seed[:]); err != nil {
		panic("petrel: the system has no random numbers: " + err.Error())
	}
	copy(idProcess[:], seed[:5])
	idCounter.Store(binary.BigEndian.Uint32(seed[5:]))
}

// NewID makes an id for something that came to be at the given time.
func NewID(at time.Time) ID {
	var raw [12]byte
	binary.BigEndian.PutUint32(raw[:4], uint32(at.Unix()))
	copy(raw[4:9], idProcess[:])
	n := idCounter.Add(1)
	raw[9], raw[10], raw[11] = byte(n>>16), byte(n>>8), byte(n)
	var text [24]byte
	hex.Encode(text[:], raw[:])
	return ID(text[:])
}
