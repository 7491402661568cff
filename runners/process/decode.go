package process

import (
	"bytes"
	"fmt"
	"unicode/utf8"
	"unsafe"
)

// DecodeError says where output stops being UTF-8, in the words of Python,
// which StackStorm shows. Positions count from the start of the line.
type DecodeError struct {
	Start, End int // the bytes at fault; End is the one behind them
	Byte       byte
	Reason     string
}

// Error is str(UnicodeDecodeError).
func (e *DecodeError) Error() string {
	if e.End-e.Start == 1 {
		return fmt.Sprintf("'utf-8' codec can't decode byte 0x%02x in position %d: %s", e.Byte, e.Start, e.Reason)
	}
	return fmt.Sprintf("'utf-8' codec can't decode bytes in position %d-%d: %s", e.Start, e.End-1, e.Reason)
}

// PythonClass is the exception's class.
func (e *DecodeError) PythonClass() string { return "UnicodeDecodeError" }

// decoder looks for the first byte that is not UTF-8, over any number of writes.
type decoder struct {
	carry  []byte // an unfinished character at the end of the last write
	column int    // bytes of the line in front of carry
	err    *DecodeError
}

func (d *decoder) write(data []byte) {
	if d.err != nil {
		return
	}
	if len(d.carry) > 0 {
		// At most three bytes finish what was carried.
		n := 0
		for len(d.carry) < utf8.UTFMax && n < len(data) && !utf8.FullRune(d.carry) {
			d.carry = append(d.carry, data[n])
			n++
		}
		if !utf8.FullRune(d.carry) {
			return
		}
		whole := d.carry
		d.carry = nil
		d.check(whole)
		if d.err != nil {
			return
		}
		data = data[n:]
	}
	if n := unfinished(data); n > 0 {
		d.carry = append(d.carry, data[len(data)-n:]...)
		data = data[:len(data)-n]
	}
	d.check(data)
}

func (d *decoder) check(data []byte) {
	if len(data) == 0 {
		return
	}
	if utf8.Valid(data) {
		if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
			d.column = len(data) - i - 1
		} else {
			d.column += len(data)
		}
		return
	}
	for i := 0; i < len(data); {
		if data[i] == '\n' {
			d.column, i = 0, i+1
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			d.fail(data[i:])
			return
		}
		d.column += size
		i += size
	}
}

func (d *decoder) close() {
	if d.err == nil && len(d.carry) > 0 {
		d.err = &DecodeError{d.column, d.column + len(d.carry), d.carry[0], "unexpected end of data"}
	}
}

// fail tells which bytes CPython's decoder finds at fault at the start of rest.
func (d *decoder) fail(rest []byte) {
	lead := rest[0]
	need, low, high := 0, byte(0x80), byte(0xBF)
	switch {
	case lead >= 0xC2 && lead <= 0xDF:
		need = 1
	case lead >= 0xE0 && lead <= 0xEF:
		need = 2
		if lead == 0xE0 {
			low = 0xA0
		} else if lead == 0xED {
			high = 0x9F
		}
	case lead >= 0xF0 && lead <= 0xF4:
		need = 3
		if lead == 0xF0 {
			low = 0x90
		} else if lead == 0xF4 {
			high = 0x8F
		}
	}
	if need == 0 {
		d.err = &DecodeError{d.column, d.column + 1, lead, "invalid start byte"}
		return
	}
	good := 1
	for good <= need && good < len(rest) && rest[good] >= low && rest[good] <= high {
		good++
		low, high = 0x80, 0xBF
	}
	d.err = &DecodeError{d.column, d.column + good, lead, "invalid continuation byte"}
}

// bytesView reads bytes as text without a copy. The bytes must not change
// while the text is in use.
func bytesView(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }
