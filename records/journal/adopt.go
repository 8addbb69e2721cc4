package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"github.com/weirproxy/weir/records/ledger"
)

// claim takes the first folder that no other process has.
func (j *Journal) claim() error {
	fs := j.options.FS
	for n := range maxProcesses {
		dir := filepath.Join(j.options.Dir, strconv.Itoa(n))
		if err := fs.MkdirAll(dir); err != nil {
			return err
		}
		held, err := fs.Lock(filepath.Join(dir, lockName))
		if errors.Is(err, ErrLocked) {
			continue
		}
		if err != nil {
			return err
		}
		j.dir, j.unlock = dir, func() { _ = held.Close() }
		return errors.Join(fs.SyncDir(j.options.Dir), fs.SyncDir(dir))
	}
	return fmt.Errorf("all of the %d folders of %s are in use", maxProcesses, j.options.Dir)
}

// interrupt makes final rows of requests that a dead process left open.
func (j *Journal) interrupt(open map[string]*running) {
	ids := make([]string, 0, len(open))
	for id := range open {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		r := open[id]
		r.row.Interrupt(r.progress)
		j.buf = appendRow(j.buf, kindRow, &r.row)
		j.stats.Pending++
		j.stats.Interrupted++
		j.urgent = true
	}
	if len(ids) > 0 {
		j.options.Logger.Warn("requests were cut off with the process: they are charged what it last noted", slogCount(len(ids)))
	}
}

// adopt takes over what a dead process left in another folder, if it is dead:
// its rows are copied and made durable before its files go.
func (j *Journal) adopt(dir string) error {
	fs := j.options.FS
	held, err := fs.Lock(filepath.Join(dir, lockName))
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	w := j.newWriter()
	defer w.close()
	flush := func() error {
		// What cannot be written stays in memory, and in the other folder for
		// the next time.
		err := j.commit(w, j.rotates(w), j.buf, nil, true)
		if err == nil {
			j.buf = j.buf[:0]
		}
		return err
	}
	f, err := j.load(dir, func(row *ledger.Row) error {
		j.buf = appendRow(j.buf, kindRow, row)
		j.stats.Pending++
		j.urgent = true
		if len(j.buf) < adoptBytes {
			return nil
		}
		return flush()
	})
	if err != nil || len(f.segments) == 0 {
		return err
	}
	j.interrupt(f.open)
	if err := flush(); err != nil {
		return err
	}
	for _, s := range f.segments {
		if err := fs.Remove(filepath.Join(dir, segmentName(s.seq))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return fs.SyncDir(dir)
}
