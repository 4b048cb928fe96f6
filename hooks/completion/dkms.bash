# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion for dkms and kmodgate in bash. What is registered is asked of `dkms status`, which
# reads a few folders and starts nothing.

_kmodgate_modules() # NAME/VERSION of what is registered
{
	dkms status 2>/dev/null | sed -e 's/[,:].*//' | sort -u
}

_kmodgate_releases() # kernels that are here
{
	local folder
	for folder in /lib/modules/*/; do
		folder=${folder%/}
		[ ! -d "$folder" ] || printf '%s\n' "${folder##*/}"
	done
}

_kmodgate_reply() # WORD...: those that begin like the word under the cursor
{
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}

_kmodgate_paths() # what compgen calls files or folders: -f, -d
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# The value of the option before the cursor: 0 when it takes one.
_kmodgate_value() # OPTION
{
	case $1 in
	-m | --module) _kmodgate_reply "$(_kmodgate_modules)" ;;
	-v) _kmodgate_reply "$(_kmodgate_modules | sed 's,.*/,,')" ;;
	-k | --kernelver | --templatekernel) _kmodgate_reply "$(_kmodgate_releases)" ;;
	-a | --arch) _kmodgate_reply "$(uname -m)" ;;
	-c | --config | --archive) _kmodgate_paths -f ;;
	--kernelsourcedir | --dkmstree | --sourcetree | --installtree | --root) _kmodgate_paths -d ;;
	-j | --directive) ;;
	*) return 1 ;;
	esac
}

_kmodgate_action() # the first action of the line so far
{
	local word
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case " $1 " in *" $word "*) printf '%s\n' "$word" && return ;; esac
	done
}

_dkms()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} action
	local actions='add build install uninstall unbuild remove status match mktarball ldtarball
		autoinstall generate_mok kernel_preinst kernel_postinst kernel_prerm'
	local options='-m -v -k -a -c -q -j -V -h --module --kernelver --arch --quiet --version --help
		--config --archive --templatekernel --force --force-version-override --binaries-only
		--source-only --all --no-depmod --modprobe-on-install --kernelsourcedir --directive
		--rpm_safe_upgrade --dkmstree --sourcetree --installtree --symlink-modules --verbose'

	COMPREPLY=()
	if _kmodgate_value "$before"; then return 0; fi
	action=$(_kmodgate_action "${actions//[$'\n\t']/ }")
	case $cur in
	-*) _kmodgate_reply "$options" ;;
	*/* | .*) _kmodgate_paths -f ;;
	*)
		case $action in
		'') _kmodgate_reply "$actions" ;;
		ldtarball) _kmodgate_paths -f ;;
		*) _kmodgate_reply "$(_kmodgate_modules)" ;;
		esac
		;;
	esac
	# NAME/VERSION looks like a path.
	if [ "${#COMPREPLY[@]}" -eq 0 ] && [[ $cur == */* ]]; then _kmodgate_reply "$(_kmodgate_modules)"; fi
}

_kmodgate()
{
	local cur=${COMP_WORDS[COMP_CWORD]}

	COMPREPLY=()
	case ${COMP_WORDS[1]} in
	arrive | depart)
		if [ "$COMP_CWORD" -eq 2 ]; then _kmodgate_reply "$(_kmodgate_releases)"; fi
		return
		;;
	gate) _kmodgate_reply --test ;;
	settle) _kmodgate_reply --owner ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		_kmodgate_reply 'status skip-once recover gate arrive depart settle --help --version'
	fi
}

complete -F _dkms dkms
complete -F _kmodgate kmodgate
