package httprequest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"

	"petrel"
	"petrel/expr/value"
)

// maxHeader bounds the headers of a response.
const maxHeader = 256 << 10

// parseLimits bound the reading of a body as JSON; a body over them is shown
// as text.
var parseLimits = value.Limits{Steps: 2_000_000, Bytes: 128 << 20, Depth: value.MaxJSONDepth, Time: 2 * time.Second}

// exchange is one request and its response, without redirects.
type exchange struct {
	runner    *Runner
	call      *call
	message   *message
	transport *http.Transport
	recorder  *recorder
	proxied   bool
	connected atomic.Bool
}

// send makes the request and gives the response with its headers in the order
// and spelling they came in.
func (h *exchange) send(ctx context.Context) (*http.Response, []header, error) {
	dialer := &net.Dialer{Control: h.control}
	h.recorder = &recorder{}
	config := &tls.Config{InsecureSkipVerify: !h.call.verify, RootCAs: h.runner.o.RootCAs, ServerName: h.message.url.Hostname(), NextProtos: []string{"http/1.1"}}
	proxy, err := h.proxy()
	if err != nil {
		return nil, nil, err
	}
	h.proxied = proxy != nil
	h.transport = &http.Transport{
		Proxy: func(*http.Request) (*url.URL, error) { return proxy, nil },
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return h.recorder.watch(conn), nil
		},
		TLSClientConfig:        config,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		// HTTP/2 changes the spelling of headers, and requests does not speak it.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	if !h.proxied {
		h.transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, config)
			if err := secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, err
			}
			return h.recorder.watch(secure), nil
		}
	}
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		h.connected.Store(true)
		h.recorder.start()
	}}
	req := h.message.request().WithContext(httptrace.WithClientTrace(ctx, trace))
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		h.transport.CloseIdleConnections()
		return nil, nil, h.describe(ctx, err)
	}
	headers := h.recorder.headers(resp.StatusCode)
	if headers == nil || h.proxied && h.message.url.Scheme == "https" {
		headers = sortedHeaders(resp.Header)
	}
	return resp, headers, nil
}

func (h *exchange) close(resp *http.Response) {
	_ = resp.Body.Close()
	h.transport.CloseIdleConnections()
}

// proxy is the proxy for the message: of the parameters, else of the
// service's environment.
func (h *exchange) proxy() (*url.URL, error) {
	given := h.call.httpProxy
	if h.message.url.Scheme == "https" {
		given = h.call.httpsProxy
	}
	if given == "" {
		return httpproxy.FromEnvironment().ProxyFunc()(h.message.url)
	}
	if !strings.Contains(given, "://") {
		given = "http://" + given
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" {
		return nil, petrel.Errorf(petrel.Invalid, "parameter %s_proxy is not the URL of a proxy", h.message.url.Scheme)
	}
	return u, nil
}

// deniedError says that an address may not be reached.
type deniedError struct{ address netip.Addr }

func (e *deniedError) Error() string {
	return fmt.Sprintf("The address %s may not be reached by actions.", e.address)
}

// control looks at the address that is really dialled, whatever name it had.
func (h *exchange) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap().WithZone("")
	for _, denied := range h.runner.o.Denied {
		if denied.Contains(ip) {
			return &deniedError{ip}
		}
	}
	return nil
}

// readBody reads the response's body as text.
func (r *Runner) readBody(ctx context.Context, h *exchange, resp *http.Response) (string, error) {
	body, err := unpacked(resp)
	if err != nil {
		return "", h.describe(ctx, err)
	}
	raw, err := io.ReadAll(io.LimitReader(body, r.o.Body+1))
	if err != nil {
		return "", h.describe(ctx, err)
	}
	if int64(len(raw)) > r.o.Body {
		return "", petrel.Errorf(petrel.TooLarge, "The response body is larger than the limit of %d bytes.", r.o.Body)
	}
	return decodeText(raw, resp.Header.Get("Content-Type")), nil
}

// unpacked undoes the response's content encoding.
func unpacked(resp *http.Response) (io.Reader, error) {
	if resp.Body == nil || resp.Request != nil && resp.Request.Method == http.MethodHead {
		return strings.NewReader(""), nil
	}
	switch strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))) {
	case "gzip", "x-gzip":
		first := make([]byte, 1)
		if n, err := io.ReadFull(resp.Body, first); n == 0 {
			if err == io.EOF {
				return strings.NewReader(""), nil
			}
			return nil, err
		}
		return gzip.NewReader(io.MultiReader(bytes.NewReader(first), resp.Body))
	case "deflate":
		head := make([]byte, 2)
		n, err := io.ReadFull(resp.Body, head)
		if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
			return nil, err
		}
		whole := io.MultiReader(bytes.NewReader(head[:n]), resp.Body)
		// Servers send it with and without the zlib header.
		if n == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			return zlib.NewReader(whole)
		}
		return flate.NewReader(whole), nil
	}
	return resp.Body, nil
}

var errDeadline = errors.New("the request's time is up")

// timeoutError is a request that took too long, in the words of requests.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }

// describe words an error of the network as requests does.
func (h *exchange) describe(ctx context.Context, err error) error {
	u := h.message.url
	pool := "HTTPConnectionPool"
	if u.Scheme == "https" {
		pool = "HTTPSConnectionPool"
	}
	where := fmt.Sprintf("%s(host=%s, port=%s)", pool, value.Repr(u.Hostname()), port(u))
	retries := func(cause string) string {
		return fmt.Sprintf("%s: Max retries exceeded with url: %s (Caused by %s)", where, u.RequestURI(), cause)
	}
	seconds := value.Str(h.call.timeout.Seconds())
	var (
		denied    *deniedError
		dns       *net.DNSError
		errno     syscall.Errno
		operation *net.OpError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	class := "ConnectionError"
	switch {
	case errors.As(err, &denied):
		return petrel.Errorf(petrel.Invalid, "%s", denied.Error())
	case context.Cause(ctx) == errDeadline && !h.connected.Load():
		return &timeoutError{retries(fmt.Sprintf("ConnectTimeoutError('Connection to %s timed out. (connect timeout=%s)')", u.Hostname(), seconds))}
	case context.Cause(ctx) == errDeadline:
		return &timeoutError{fmt.Sprintf("%s: Read timed out. (read timeout=%s)", where, seconds)}
	case errors.As(err, &verify):
		class = "SSLError"
		return value.Errorf(class, "%s", retries(fmt.Sprintf("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: %v'))", verify.Err)))
	case errors.As(err, &record), errors.As(err, &alert):
		class = "SSLError"
		return value.Errorf(class, "%s", retries(fmt.Sprintf("SSLError(SSLError(1, '[SSL] %v'))", err)))
	case errors.As(err, &dns):
		return value.Errorf(class, "%s", retries(fmt.Sprintf("NameResolutionError(\"Failed to resolve '%s' ([Errno -2] Name or service not known)\")", u.Hostname())))
	case errors.As(err, &operation) && (operation.Op == "dial" || operation.Op == "proxyconnect"):
		text := operation.Err.Error()
		if errors.As(err, &errno) {
			text = "[Errno " + strconv.Itoa(int(errno)) + "] " + upperFirst(errno.Error())
		}
		if h.proxied {
			return value.Errorf("ProxyError", "%s", retries("ProxyError('Unable to connect to proxy', NewConnectionError('Failed to establish a new connection: "+text+"'))"))
		}
		return value.Errorf(class, "%s", retries("NewConnectionError('Failed to establish a new connection: "+text+"')"))
	case errors.As(err, &errno):
		return value.Errorf(class, "('Connection aborted.', ConnectionResetError(%d, '%s'))", int(errno), upperFirst(errno.Error()))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return value.Errorf(class, "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))")
	}
	return value.Errorf(class, "%s: %v", where, err)
}

func upperFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// recorder keeps the bytes of a response's head as they come, because Go's
// headers know neither their order nor their spelling.
type recorder struct {
	mu  sync.Mutex
	raw []byte
	on  bool
}

type recorded struct {
	net.Conn
	to *recorder
}

func (r *recorder) watch(conn net.Conn) net.Conn { return &recorded{conn, r} }

func (c *recorded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.to.mu.Lock()
	if c.to.on && len(c.to.raw) < maxHeader {
		c.to.raw = append(c.to.raw, p[:min(n, maxHeader-len(c.to.raw))]...)
	}
	c.to.mu.Unlock()
	return n, err
}

func (r *recorder) start() {
	r.mu.Lock()
	r.raw, r.on = nil, true
	r.mu.Unlock()
}

// headers reads the head of the response with the status; heads of interim
// responses in front of it are passed over. Nil when it was not seen whole.
func (r *recorder) headers(status int) []header {
	r.mu.Lock()
	raw := r.raw
	r.on = false
	r.raw = nil
	r.mu.Unlock()
	for {
		head, rest, found := cutHead(raw)
		if !found {
			return nil
		}
		lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
		f := strings.Fields(lines[0])
		if len(f) < 2 || f[1] != strconv.Itoa(status) {
			raw = rest
			continue
		}
		var out []header
		for _, line := range lines[1:] {
			if line == "" {
				continue
			}
			if (line[0] == ' ' || line[0] == '\t') && len(out) > 0 {
				out[len(out)-1].value += " " + strings.TrimSpace(fromLatin1(line))
				continue
			}
			name, text, _ := strings.Cut(line, ":")
			out = append(out, header{fromLatin1(name), strings.TrimSpace(fromLatin1(text))})
		}
		if out == nil {
			out = []header{}
		}
		return out
	}
}

// cutHead splits at the empty line behind a head.
func cutHead(raw []byte) (head, rest []byte, found bool) {
	a, b := bytes.Index(raw, []byte("\r\n\r\n")), bytes.Index(raw, []byte("\n\n"))
	switch {
	case a >= 0 && (b < 0 || a < b):
		return raw[:a], raw[a+4:], true
	case b >= 0:
		return raw[:b], raw[b+2:], true
	}
	return nil, nil, false
}
