#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A key "pkcs11:..." comes through OpenSSL's provider of that name: here one of ours (token.c).
# shellcheck source=SCRIPTDIR/common
. "$(dirname "$0")/common"
cd "$work" || exit 1
head -c 300001 "$tool" >module
mkdir keys modules none
"$tool" make-key keys || exit 1
"$tool" sign sha256 keys mok.key mok.pub module >signed || exit 1
openssl pkcs8 -topk8 -nocrypt -in keys/mok.key -outform DER -out token.der || exit 1
cc -shared -fPIC -o modules/pkcs11.so "$here/token.c" -lcrypto || exit 1

export OPENSSL_MODULES=$work/modules KG_TOKEN=$work/token.der KBUILD_SIGN_PIN=1234
by_token() { "$tool" sign sha256 keys "$1" mok.pub module 2>said >signed.token </dev/null; }
by_token pkcs11:object=mok
check 'a key in a token signs' 0 $?
check_same 'the same bytes as the key in a file' signed signed.token
by_token pkcs11:object=other
check 'an object that is not there' 1 $?
check_match 'is named' '*pkcs11:object=other*' "$(cat said)"
KBUILD_SIGN_PIN=4321 by_token pkcs11:object=mok
check 'a wrong PIN' 1 $?
(unset KBUILD_SIGN_PIN && by_token pkcs11:object=mok)
check 'no PIN: nobody is asked' 1 $?
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER -out other.der 2>/dev/null
KG_TOKEN=$work/other.der by_token pkcs11:object=mok
check 'a key that is not the certificate'\''s' 1 $?
check_match 'is told' '*does not belong*' "$(cat said)"
OPENSSL_MODULES=$work/none by_token pkcs11:object=mok
check 'no provider' 1 $?
check_match 'what to install' '*pkcs11-provider*sign_file*' "$(cat said)"
finish
