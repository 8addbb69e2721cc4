package journal

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
)

// position is how far the delivery is: everything before it is in the store.
type position struct {
	seq uint64
	off int64
}

func (p position) before(q position) bool { return p.seq < q.seq || (p.seq == q.seq && p.off < q.off) }

func (j *Journal) current() position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.position
}

// advance moves the position after rows were delivered, and removes segments
// that nobody needs any more.
func (j *Journal) advance(to position, rows int) {
	j.mu.Lock()
	j.position = to
	j.stats.Pending -= int64(rows)
	var gone []segment
	for len(j.segments) > 0 && j.segments[0].seq < to.seq {
		gone = append(gone, j.segments[0])
		j.segments = j.segments[1:]
	}
	close(j.moved)
	j.moved = make(chan struct{})
	j.mu.Unlock()
	for _, s := range gone {
		// One that stays is delivered again by the next process.
		if err := j.options.FS.Remove(filepath.Join(j.dir, segmentName(s.seq))); err != nil {
			j.options.Logger.Warn("removing a delivered segment", slogDir(j.dir), slogErr(err))
		}
	}
}

// savePosition writes the position down, if it has changed.
func (d *delivery) savePosition() {
	p := d.current()
	if p == d.saved {
		return
	}
	text := fmt.Sprintf("%016x %d", p.seq, p.off)
	content := fmt.Appendf(nil, "%s %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
	if err := replaceFile(d.options.FS, filepath.Join(d.dir, positionName), content); err == nil {
		d.saved = p
	}
}

// loadPosition reads what savePosition wrote. Without it everything is
// delivered again, which changes nothing.
func loadPosition(fs FS, dir string) (p position) {
	f, err := fs.Open(filepath.Join(dir, positionName))
	if err != nil {
		return position{}
	}
	defer func() { _ = f.Close() }()
	content := make([]byte, 64)
	n, _ := f.ReadAt(content, 0)
	text, sum, ok := bytes.Cut(bytes.TrimSuffix(content[:n], []byte("\n")), []byte(" "))
	off, sum, ok2 := bytes.Cut(sum, []byte(" "))
	if !ok || !ok2 || fmt.Sprintf("%08x", crc32.Checksum(content[:len(text)+1+len(off)], castagnoli)) != string(sum) {
		return position{}
	}
	seq, err1 := strconv.ParseUint(string(text), 16, 64)
	at, err2 := strconv.ParseInt(string(off), 10, 64)
	if err1 != nil || err2 != nil || at < 0 {
		return position{}
	}
	return position{seq, at}
}
