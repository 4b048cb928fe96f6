#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# apport's hook makes a report of a build that failed: with a stand-in for apport itself, which Debian does not have.
set -u
cd "$(dirname "$0")/../../.." || exit 1
command -v python3 >/dev/null || {
	echo "skip: no python3"
	exit 77
}
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
mkdir -p "$t/apport"
cat >"$t/apport/__init__.py" <<PY
class Report(dict):
    def __init__(self, kind):
        super().__init__(ProblemType=kind)
    def write(self, out):
        out.write("".join("%s: %s\n" % pair for pair in sorted(self.items())).encode())
class packaging:
    @staticmethod
    def get_file_package(path):
        return {"/usr/src/hello-1": "hello-dkms"}.get(path)
    @staticmethod
    def get_version(package):
        return "1-2"
    @staticmethod
    def get_source(package):
        return "hello"
    @staticmethod
    def is_distro_package(package):
        if package != "linux-headers-6.1.0-1":
            raise ValueError("package %s does not exist" % package)
        return True
PY
cat >"$t/apport/fileutils.py" <<PY
def make_report_file(report):
    return open("$t/report", "wb")
PY
cat >"$t/apport/hookutils.py" <<PY
def attach_file_if_exists(report, path, key):
    if path == "/var/lib/dkms/hello/1/build/make.log":
        report[key] = open("$t/make.log").read()
PY
bad=0

is() # CLAIM EXIT REPORT-LINES ARGUMENT...
{
	local claim=$1 want=$2 lines=$3 got=0 line
	shift 3
	rm -f "$t/report"
	touch "$t/report"
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$t python3 hooks/apport/dkms_packages.py "$@" >"$t/out" 2>&1 || got=$?
	while read -r line; do
		grep -qxF "$line" "$t/report" || [ -z "$line" ] || got="$got, without $line"
	done <<<"$lines"
	if [ "$got" = "$want" ] && { [ "$got" = 0 ] || [ ! -s "$t/report" ]; }; then
		echo "ok: $claim"
	else
		echo "FAIL: $claim: $got, expected $want"
		cat "$t/out" "$t/report"
		bad=1
	fi
}

printf 'CC hello.o\nhello.c:1:1: error: unknown type name\nmake: *** stopped\n' >"$t/make.log"
is 'a build that failed' 0 'Package: hello-dkms 1-2
SourcePackage: hello
ProblemType: Package
Title: hello-dkms 1-2: hello kernel module failed to build
DKMSKernelVersion: 6.1.0-1
DuplicateSignature: dkms:hello-dkms:1-2:hello.c:1:1: error: unknown type name' -m hello -v 1 -k 6.1.0-1
is 'of no package' 1 '' -m mine -v 1 -k 6.1.0-1
is 'for a kernel of somebody'\''s own' 1 '' -m hello -v 1 -k 6.1.0-mine
is 'without a version' 2 '' -m hello
echo 'cc1: Segmentation fault' >>"$t/make.log"
is 'a compiler that crashed' 1 '' -m hello -v 1
exit $bad
