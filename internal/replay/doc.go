// Package replay keeps the last part of event streams, so that a client that
// has lost its connection gets what it missed and the rest.
//
// A [Tape] is one stream. It has one producer, which appends events, and at any
// time one client at most: first the one that the producer itself writes to, later
// those that come back. The newer client takes the older one's place.
//
// Memory is bounded for each tape and for all tapes of a [Shelf]. There are no
// acknowledgements: what was written to a client that is gone may have been lost
// on its way, so a part of it is kept as long as there is room.
package replay
