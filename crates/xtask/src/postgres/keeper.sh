# Keeps one throw-away Postgres server: `sh -c <this> keeper DIRECTORY COMMAND...`, stdin = a pipe held by xtask.
#
# The server is to end with xtask, however xtask ends: by itself, by Ctrl-C, by kill -9. Only the kernel tells of
# all of these, by closing the pipe. The shell waits for that and for the server; it runs as the server's user
# and in a process group of its own, so that Ctrl-C does not reach the server before the tests have ended.
# After the server is gone the directory is removed, once xtask is done with it (it may want to read the log).
directory=$1
shift
exec 3<&0
"$@" >>"$directory/log" 2>&1 </dev/null 3<&- &
server=$!
(
    cat <&3 >/dev/null
    # SIGINT: drop the clients and shut down in order. SIGQUIT, ten seconds later: stop at once.
    for signal in INT QUIT; do
        [ -e "$directory/ended" ] || kill -s "$signal" "$server"
        tries=0
        while [ ! -e "$directory/ended" ] && [ "$tries" -lt 100 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
    done
) &
wait "$server"
echo "$?" >"$directory/ended"
wait
rm -rf "$directory"
