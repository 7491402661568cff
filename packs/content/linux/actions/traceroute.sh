#!/bin/sh
# Prints the way to a host: traceroute.sh HOST [HOPS] [QUERIES TO EACH HOP]

host=$1 hops=${2:-30} queries=${3:-3}

case $host in
'' | -*)
	echo "usage: traceroute.sh HOST [HOPS] [QUERIES]" >&2
	exit 1
	;;
esac
if command -v traceroute >/dev/null 2>&1; then
	exec traceroute -q "$queries" -m "$hops" "$host"
fi
if command -v tracepath >/dev/null 2>&1; then
	exec tracepath -m "$hops" "$host"
fi
echo "Neither traceroute nor tracepath is installed on this machine" >&2
exit 2
