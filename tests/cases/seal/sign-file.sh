#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Our signature is, byte for byte, that of the kernel's own scripts/sign-file.
# shellcheck source=SCRIPTDIR/common
. "$(dirname "$0")/common"
package 'linux-kbuild-6.1' "$work/root" || { echo "cannot get linux-kbuild"; exit 77; }
theirs=$(find "$work/root" -name sign-file -type f | head -n 1)
[ -x "$theirs" ] || { echo "no sign-file in linux-kbuild"; exit 77; }

cd "$work" || exit 1
head -c 300001 "$tool" >module
mkdir ours
"$tool" make-key ours || exit 1
openssl x509 -inform DER -in ours/mok.pub -out ours/mok.pem
# DKMS's own way to make one
mkdir dkms
openssl req -new -x509 -nodes -days 36500 -subj "/CN=DKMS module signing key" -newkey rsa:2048 \
	-keyout dkms/mok.key -addext extendedKeyUsage=codeSigning -outform DER -out dkms/mok.pub 2>/dev/null
openssl x509 -inform DER -in dkms/mok.pub -out dkms/mok.pem

for key in ours dkms; do
	for cert in mok.pub mok.pem; do
		for hash in sha1 sha224 sha256 sha384 sha512; do
			"$theirs" $hash $key/mok.key $key/$cert module signed || continue
			"$tool" sign $hash $key mok.key $cert module >signed.ours
			check_same "$key key, $cert, $hash" signed signed.ours
		done
	done
done

# what is in our certificate is what is in DKMS's
extensions() { openssl x509 -inform DER -in "$1/mok.pub" -noout -ext basicConstraints,extendedKeyUsage; }
check "the certificate's purpose is that of DKMS's" "$(extensions dkms)" "$(extensions ours)"
fields() { openssl x509 -inform DER -in "$1/mok.pub" -noout -text | grep -oE 'X509v3 [A-Za-z ]+|Signature Algorithm.*|Version.*' | sort; }
check "so are its fields" "$(fields dkms)" "$(fields ours)"
finish
