package api_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"petrel/api"
	"petrel/auth"
)

func benchRequest(b *testing.B, client *http.Client, method, url string, body []byte, want int) {
	b.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != want {
		b.Fatalf("%s", response.Status)
	}
}

// BenchmarkCreate is a POST of core.noop up to its answer: stored and durable.
func BenchmarkCreate(b *testing.B) {
	site := newSite(b)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	body := []byte(`{"action": "core.noop"}`)
	b.RunParallel(func(pb *testing.PB) {
		client := &http.Client{Transport: &http.Transport{}}
		for pb.Next() {
			benchRequest(b, client, "POST", s.url+"/api/v1/executions", body, 201)
		}
	})
}

// BenchmarkGet is a GET of the version: what a request costs by itself.
func BenchmarkGet(b *testing.B) {
	site := newSite(b)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	client := &http.Client{Transport: &http.Transport{}}
	for b.Loop() {
		benchRequest(b, client, "GET", s.url+"/api/v1/", nil, 200)
	}
}

// BenchmarkList is a page of 100 executions, whole.
func BenchmarkList(b *testing.B) {
	site := newSite(b)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	client := &http.Client{Transport: &http.Transport{}}
	for range 100 {
		benchRequest(b, client, "POST", s.url+"/api/v1/executions", []byte(`{"action": "core.noop"}`), 201)
	}
	for b.Loop() {
		benchRequest(b, client, "GET", s.url+"/api/v1/executions", nil, 200)
	}
}
