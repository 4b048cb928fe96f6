# SPDX-License-Identifier: GPL-2.0-or-later
"""A module source that did not build becomes a problem report of its package.

dkms runs it where apport is: dkms_packages.py -m NAME -v VERSION [-k RELEASE]
Exit codes: 1 no report is to be made, 2 wrong arguments, 3 the package is nobody's.
"""
import argparse
import os
import sys

import apport
import apport.fileutils
from apport.hookutils import attach_file_if_exists


def refuse(code, why):
    sys.stderr.write("dkms: apport: %s\n" % why)
    sys.exit(code)


def ask(question, *what):
    """apport raises ValueError for packages it does not know."""
    try:
        return question(*what)
    except ValueError:
        return None


def first_error(log):
    """The line by which the same failure elsewhere is known."""
    for line in log.split("\n"):
        if ": error:" in line or ": fatal error:" in line:
            return line.strip()
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-m", dest="module", required=True)
    parser.add_argument("-v", dest="version", required=True)
    parser.add_argument("-k", dest="release")
    return parser.parse_args()


def make_report(args, package):
    report = apport.Report("Package")
    version = ask(apport.packaging.get_version, package) or "(not installed)"
    report["Package"] = "%s %s" % (package, version)
    report["PackageVersion"] = version
    report["SourcePackage"] = ask(apport.packaging.get_source, package) or refuse(
        3, "no source package of %s is known" % package)
    report["Title"] = "%s %s: %s kernel module failed to build" % (
        package, version, args.module)
    log = os.path.join("/var/lib/dkms", args.module, args.version, "build", "make.log")
    attach_file_if_exists(report, log, "DKMSBuildLog")
    text = report.get("DKMSBuildLog", "")
    if "Segmentation fault" in text:
        refuse(1, "the compiler crashed: that is not the module's fault")
    error = first_error(text)
    if error:
        report["DuplicateSignature"] = "dkms:%s:%s:%s" % (package, version, error)
    if args.release:
        report["DKMSKernelVersion"] = args.release
    return report


def main():
    args = arguments()
    folder = "/usr/src/%s-%s" % (args.module, args.version)
    package = apport.packaging.get_file_package(folder)
    if package is None:
        refuse(1, "no package has %s" % folder)
    # A kernel that somebody built is theirs to look after.
    if args.release and not ask(
            apport.packaging.is_distro_package, "linux-headers-" + args.release):
        refuse(1, "linux-headers-%s is not of the distribution" % args.release)
    report = make_report(args, package)
    try:
        with apport.fileutils.make_report_file(report) as out:
            report.write(out)
    except OSError as error:
        refuse(1, "cannot write the report: %s" % error)


if __name__ == "__main__":
    main()
