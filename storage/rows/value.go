package rows

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// packedFrom is the size from which a value is compressed. Below it a value
// costs more time than the bytes it saves.
const packedFrom = 2 << 10

// MaxValueBytes bounds what one packed value may unpack to, so that a damaged
// or planted row cannot exhaust the memory.
const MaxValueBytes = 256 << 20

// The first byte of a stored value says how the rest is to be read. Plain JSON
// text and plain output may begin with any byte, so the mark is always there.
const (
	markPlain = 'p'
	markZstd  = 'z'
)

var (
	encoder = must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true)))
	decoder = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxValueBytes)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("rows: zstd refuses its fixed options: " + err.Error())
	}
	return v
}

// Pack makes a value ready for its column: nil stays nil, a large one is
// compressed. Any bytes survive, NUL and broken UTF-8 included.
func Pack(value []byte) []byte {
	if value == nil {
		return nil
	}
	if len(value) >= packedFrom {
		packed := encoder.EncodeAll(value, append(make([]byte, 0, len(value)/3), markZstd))
		if len(packed) < len(value) {
			return packed
		}
	}
	plain := make([]byte, 1+len(value))
	plain[0] = markPlain
	copy(plain[1:], value)
	return plain
}

// Unpack reads what Pack wrote.
func Unpack(stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	switch stored[0] {
	case markPlain:
		return append([]byte{}, stored[1:]...), nil
	case markZstd:
		value, err := decoder.DecodeAll(stored[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("a stored value cannot be unpacked: %w", err)
		}
		return value, nil
	}
	return nil, fmt.Errorf("a stored value has the unknown mark %q", stored[0])
}
