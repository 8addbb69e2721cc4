package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
)

// asLoop, as the first argument, makes this program the least that can pass a
// stream on to many: it reads an event and writes it to one connection after the
// other. What that takes nothing that serves so many clients can go below.
const asLoop = "loop"

// serveLoop listens at the address and gets the stream of the first client's request
// from the upstream.
func serveLoop(addr, up string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	var (
		mu      sync.Mutex
		clients []net.Conn
		once    sync.Once
	)
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			request := make([]byte, 4<<10)
			n, err := conn.Read(request)
			if err != nil {
				return // who only looks whether somebody listens
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
			mu.Lock()
			clients = append(clients, conn)
			mu.Unlock()
			once.Do(func() {
				if err := pass(request[:n], up, func(event []byte) {
					mu.Lock()
					defer mu.Unlock()
					for _, c := range clients {
						_, _ = c.Write(event)
					}
				}); err != nil {
					log.Print(err)
				}
			})
		}()
	}
}

// pass gives each line of the upstream's stream that has an event to write.
func pass(request []byte, up string, write func(event []byte)) error {
	conn, err := net.Dial("tcp", up)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(request); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	if _, _, err := readHeader(in); err != nil {
		return err
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) > len("data: ") {
			write(fmt.Appendf(nil, "%s\n", line))
		}
	}
}
