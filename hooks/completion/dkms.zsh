#compdef dkms kmodgate
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for dkms and kmodgate in zsh.

_kmodgate_modules() {
  local -a names
  names=(${(u)${(f)"$(dkms status 2>/dev/null)"}%%[,:]*})
  _describe -t modules 'module' names
}

_kmodgate_releases() {
  local -a releases
  releases=(/lib/modules/*(N/:t))
  _describe -t kernels 'kernel' releases
}

_kmodgate_target() {
  _alternative 'modules:module:_kmodgate_modules' 'files:source tree, dkms.conf or archive:_files'
}

_dkms() {
  local -a actions
  actions=(
    'add:register a module source'
    'build:build for a kernel'
    'install:build and install for a kernel'
    'uninstall:take off a kernel, keep what was built'
    'unbuild:take off a kernel, with what was built'
    'remove:the same, and off the register'
    'status:what is registered, built and installed'
    'match:install what another kernel has'
    'mktarball:make an archive'
    'ldtarball:load an archive'
    'autoinstall:all that ask for it, for one kernel'
    'generate_mok:make the signing key'
    'kernel_preinst:for kernel hooks'
    'kernel_postinst:for kernel hooks'
    'kernel_prerm:for kernel hooks'
  )
  _arguments -S \
    '*'{-m,--module}'[module]:module:_kmodgate_modules' \
    '-v[version]:version' \
    '*'{-k,--kernelver}'[kernel]:kernel:_kmodgate_releases' \
    '*'{-a,--arch}'[architecture]:architecture' \
    '-c[another dkms.conf]:dkms.conf:_files' \
    '--config[another kernel configuration]:file:_files' \
    '--archive[archive]:archive:_files' \
    '--templatekernel[kernel to match]:kernel:_kmodgate_releases' \
    '--kernelsourcedir[kernel headers]:folder:_files -/' \
    '*--directive[a directive over dkms.conf]:NAME=VALUE' \
    {--dkmstree,--sourcetree,--installtree}'[folder]:folder:_files -/' \
    '-j[jobs of make]:number' \
    '--all[all kernels]' '--force[also what is done already]' \
    '--force-version-override[also what is not newer]' \
    '--binaries-only[no source]' '--source-only[no modules]' \
    '--no-depmod[no depmod]' '--modprobe-on-install[load drivers]' \
    '--symlink-modules[links, no copies]' '--rpm_safe_upgrade[for rpm scriptlets]' \
    {-q,--quiet}'[say nothing]' '--verbose[say more]' \
    {-V,--version}'[version]' {-h,--help}'[help]' \
    '1:action:{_describe -t actions action actions}' \
    '2::module:_kmodgate_target'
}

_kmodgate() {
  _arguments \
    '1:verb:(status skip-once recover gate arrive depart settle)' \
    '2::kernel:_kmodgate_releases'
}

case $service in
kmodgate) _kmodgate "$@" ;;
*) _dkms "$@" ;;
esac
