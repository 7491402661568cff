package process

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// capture keeps what came through one pipe: everything up to the limit, and
// beyond it the first and the last half with a mark between them. What comes
// in is also handed on live, as valid UTF-8, until the limit is reached; after
// that only the mark and the end follow.
type capture struct {
	limit int
	emit  func(data string)

	total   int64    // bytes that came in
	head    [][]byte // the first half of limit, in blocks
	tail    [][]byte // what follows it; beyond the limit the oldest blocks go
	headLen int
	tailLen int
	pending []byte // came in but was not handed on yet: an unfinished line
	decode  decoder
	closed  bool
}

// blockSize is the unit in which output is kept: blocks neither move nor grow,
// so that keeping the limit costs the limit and not twice of it.
const blockSize = 32 << 10

func newCapture(limit int, emit func(string)) *capture {
	return &capture{limit: limit, emit: emit}
}

// write takes what was read. It never fails.
func (c *capture) write(data []byte) {
	c.decode.write(data)
	before := c.total
	c.total += int64(len(data))
	if live := int64(c.limit) - before; live > 0 && c.emit != nil {
		c.stream(data[:min(live, int64(len(data)))])
	}
	half := c.limit / 2
	if n := min(half-c.headLen, len(data)); n > 0 {
		c.head = add(c.head, data[:n], nil)
		c.headLen += n
		data = data[n:]
	}
	for len(data) > 0 {
		n := min(len(data), blockSize)
		var spare []byte
		// A block goes when the rest is enough by itself.
		for len(c.tail) > 1 && c.tailLen+n-len(c.tail[0]) >= c.limit-half {
			spare = c.tail[0][:0]
			c.tailLen -= len(c.tail[0])
			c.tail = append(c.tail[:0], c.tail[1:]...)
		}
		c.tail = add(c.tail, data[:n], spare)
		c.tailLen += n
		data = data[n:]
	}
}

// add writes data behind the blocks, into spare when one is needed and given.
func add(blocks [][]byte, data, spare []byte) [][]byte {
	for len(data) > 0 {
		if n := len(blocks); n == 0 || len(blocks[n-1]) == cap(blocks[n-1]) {
			if spare == nil {
				spare = make([]byte, 0, blockSize)
			}
			blocks = append(blocks, spare)
			spare = nil
		}
		last := &blocks[len(blocks)-1]
		n := min(cap(*last)-len(*last), len(data))
		*last = append(*last, data[:n]...)
		data = data[n:]
	}
	return blocks
}

// over says whether more came than the limit.
func (c *capture) over() bool { return c.total > int64(c.limit) }

// trim drops what the tail holds beyond its part of the limit.
func (c *capture) trim() {
	for extra := c.tailLen - (c.limit - c.limit/2); extra > 0; {
		n := min(extra, len(c.tail[0]))
		c.tail[0] = c.tail[0][n:]
		if len(c.tail[0]) == 0 {
			c.tail = c.tail[1:]
		}
		c.tailLen -= n
		extra -= n
	}
}

// linesApart is the number of lines in one read up to which each is handed on
// by itself, as StackStorm does; a flood goes on in larger pieces.
const linesApart = 64

// pendingMax is the length from which an unfinished line is handed on.
const pendingMax = 16 << 10

func (c *capture) stream(data []byte) {
	c.pending = append(c.pending, data...)
	end := strings.LastIndexByte(bytesView(c.pending), '\n') + 1
	if end > 0 {
		whole := c.pending[:end]
		if strings.Count(bytesView(whole), "\n") <= linesApart {
			for len(whole) > 0 {
				n := strings.IndexByte(bytesView(whole), '\n') + 1
				c.send(whole[:n])
				whole = whole[n:]
			}
		} else {
			c.send(whole)
		}
		c.pending = append(c.pending[:0], c.pending[end:]...)
	}
	if len(c.pending) > pendingMax {
		c.flush(false)
	}
}

// flush hands on an unfinished line; an unfinished character waits for its
// rest unless there will be none.
func (c *capture) flush(last bool) {
	if len(c.pending) == 0 {
		return
	}
	n := len(c.pending)
	if !last {
		n -= unfinished(c.pending)
	}
	if n > 0 {
		c.send(c.pending[:n])
		c.pending = append(c.pending[:0], c.pending[n:]...)
	}
}

func (c *capture) send(data []byte) {
	if c.emit != nil && len(data) > 0 {
		c.emit(strings.ToValidUTF8(string(data), "\uFFFD"))
	}
}

// waiting says whether something is held back for its line to end.
func (c *capture) waiting() bool { return len(c.pending) > 0 }

// close ends the stream: what was held back is handed on, and of a stream that
// went over the limit the mark and the end.
func (c *capture) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.decode.close()
	c.trim()
	if !c.over() || c.emit == nil {
		c.flush(true)
		return
	}
	// Handed on were the first limit bytes, an unfinished line excepted.
	if unseen := c.total - int64(c.limit); unseen > int64(c.tailLen) {
		cut := unfinished(c.pending)
		c.pending = c.pending[:len(c.pending)-cut]
		c.flush(true)
		start := c.tailStart()
		c.emit(mark(unseen + int64(cut) - int64(c.tailLen-start)))
		c.rest(start)
	} else {
		c.rest(c.tailLen - int(unseen))
	}
}

// rest hands on the tail from an offset, behind what is pending.
func (c *capture) rest(from int) {
	for _, block := range c.tail {
		if from >= len(block) {
			from -= len(block)
			continue
		}
		c.pending = append(c.pending, block[from:]...)
		from = 0
		c.flush(false)
	}
	c.flush(true)
}

// tailStart is the number of bytes in front of the tail that end a character
// whose beginning was left out.
func (c *capture) tailStart() int {
	var first []byte
	for _, block := range c.tail {
		if first = append(first, block[:min(len(block), utf8.UTFMax)]...); len(first) >= utf8.UTFMax {
			break
		}
	}
	return startOfRune(first)
}

// ending are the last bytes of the blocks, enough to hold any character.
func ending(blocks [][]byte) []byte {
	var out []byte
	for i := len(blocks) - 1; i >= 0 && len(out) < utf8.UTFMax; i-- {
		out = append(append([]byte(nil), blocks[i][max(0, len(blocks[i])-utf8.UTFMax):]...), out...)
	}
	return out
}

// output is what is kept of the stream. The capture lets go of it.
func (c *capture) output() Output {
	out := Output{Total: c.total, Err: c.decode.err}
	var text strings.Builder
	write := func(blocks [][]byte, from, to int) {
		for _, block := range blocks {
			if from < len(block) && to > 0 {
				text.Write(block[from:min(to, len(block))])
			}
			from, to = max(from-len(block), 0), to-len(block)
		}
	}
	if !c.over() {
		text.Grow(c.headLen + c.tailLen)
		write(c.head, 0, c.headLen)
		write(c.tail, 0, c.tailLen)
	} else {
		head := c.headLen - unfinished(ending(c.head))
		start := c.tailStart()
		out.LeftOut = c.total - int64(head) - int64(c.tailLen-start)
		note := mark(out.LeftOut)
		text.Grow(head + len(note) + c.tailLen)
		write(c.head, 0, head)
		text.WriteString(note)
		write(c.tail, start, c.tailLen)
	}
	c.head, c.tail = nil, nil
	out.Text = text.String()
	if out.Err != nil {
		out.Text = strings.ToValidUTF8(out.Text, "\uFFFD")
	}
	return out
}

// mark stands where bytes were left out.
func mark(n int64) string { return fmt.Sprintf("\n[... %d bytes left out ...]\n", n) }

// unfinished is the number of bytes at the end that begin a character whose
// rest is missing.
func unfinished(data []byte) int {
	for n := 1; n <= utf8.UTFMax-1 && n <= len(data); n++ {
		b := data[len(data)-n]
		if utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(data[len(data)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// startOfRune is the number of bytes in front that end a character whose
// beginning is missing.
func startOfRune(data []byte) int {
	for n := 0; n < utf8.UTFMax && n < len(data); n++ {
		if utf8.RuneStart(data[n]) {
			return n
		}
	}
	return 0
}
