// SPDX-License-Identifier: GPL-2.0-or-later
// One source for libapt-pkg 2.6, 3.0 and 3.3.
#include "plugins/apt/shim.h"

#include <apt-pkg/acquire-item.h>
#include <apt-pkg/acquire.h>
#include <apt-pkg/cachefile.h>
#include <apt-pkg/configuration.h>
#include <apt-pkg/error.h>
#include <apt-pkg/init.h>
#include <apt-pkg/pkgcache.h>
#include <apt-pkg/pkgrecords.h>
#include <apt-pkg/pkgsystem.h>
#include <apt-pkg/policy.h>
#include <apt-pkg/sourcelist.h>

#include <unistd.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plugins/apt/deb_pool.h"
#include "plugins/apt/version.h"

namespace
{

using Version = pkgCache::VerIterator;

std::unique_ptr<pkgCacheFile> cache_file;

std::string last_error()
{
	std::string text;
	std::string all;

	while (!_error->empty()) {
		_error->PopMessage(text);
		all += (all.empty() ? "" : "; ") + text;
	}
	return all.empty() ? "unknown error" : all;
}

/* One dependency: alternatives of which any will do. */
using Group = std::vector<Version>;

bool is_hard(const pkgCache::DepIterator &dep)
{
	return dep->Type == pkgCache::Dep::Depends ||
	       dep->Type == pkgCache::Dep::PreDepends;
}

/* The hard dependencies of @version, each as the versions that satisfy it. */
std::vector<Group> dependencies(const Version &version)
{
	std::vector<Group> groups;
	pkgCache &cache = *cache_file->GetPkgCache();

	for (auto dep = version.DependsList(); !dep.end();) {
		pkgCache::DepIterator start;
		pkgCache::DepIterator end;
		Group group;

		dep.GlobOr(start, end);
		if (!is_hard(end))
			continue;
		for (;; ++start) {
			std::unique_ptr<pkgCache::Version *[]> targets(
				start.AllTargets());

			for (size_t i = 0; targets[i] != nullptr; i++)
				group.push_back(Version(cache, targets[i]));
			if (start == end)
				break;
		}
		groups.push_back(group);
	}
	return groups;
}

bool is_downloadable(const Version &version)
{
	return version.Downloadable();
}

/* Of a package file that learn_files() added. */
bool is_local(const Version &version)
{
	for (auto file = version.FileList(); !file.end(); ++file)
		if ((file.File()->Flags & pkgCache::Flag::LocalSource) != 0)
			return true;
	return false;
}

bool is_installed(const Version &version)
{
	return version.ParentPkg().CurrentVer() == version;
}

/* ---- headers and what they need ---- */

class Closure
{
      public:
	explicit Closure(const char *const *present)
	{
		for (; *present != nullptr; present++)
			names_.insert(*present);
	}

	/* false: a dependency that nothing satisfies; @missing names who has it. */
	bool add(const Version &version, std::string &missing)
	{
		if (!seen_.insert(version->ID).second)
			return true;
		chosen_.push_back(version);
		for (const auto &group : dependencies(version)) {
			if (is_satisfied(group))
				continue;
			Version best = choose(group);
			if (best.end()) {
				missing = version.ParentPkg().Name();
				return false;
			}
			if (!add(best, missing))
				return false;
		}
		return true;
	}

	const std::vector<Version> &chosen() const
	{
		return chosen_;
	}

      private:
	bool is_satisfied(const Group &group) const
	{
		for (const auto &version : group)
			if (is_installed(version) || seen_.count(version->ID) > 0 ||
			    names_.count(version.ParentPkg().Name()) > 0)
				return true;
		return false;
	}

	/* A file that is at hand before a newer version that is not. */
	static Version choose(const Group &group)
	{
		for (const auto &version : group)
			if (is_local(version))
				return version;
		for (const auto &version : group)
			if (cache_file->GetPolicy()->GetCandidateVer(
				    version.ParentPkg()) == version)
				return version;
		for (const auto &version : group)
			if (is_downloadable(version))
				return version;
		return Version();
	}

	std::set<std::string> names_;
	std::set<map_id_t> seen_;
	std::vector<Version> chosen_;
};

Version find_headers(const shim_headers &what)
{
	auto package = cache_file->GetPkgCache()->FindPkg(what.package);

	if (package.end())
		return Version();
	for (auto version = package.VersionList(); !version.end(); ++version)
		if (is_downloadable(version) &&
		    version_same_source(version.VerStr(), what.version))
			return version;
	return Version();
}

/* Silent but for what apt itself would ask. */
class Progress : public pkgAcquireStatus
{
      public:
	bool MediaChange(std::string, std::string) override
	{
		return false;
	}
};

struct Wanted {
	Version version;
	std::string path; /* empty: not on disk */
};

/* One round of apt's own acquire: what is in the archive folder already is complete at once. */
class Fetch
{
      public:
	Fetch(std::vector<Wanted> &wanted, Progress &progress)
	    : wanted_(wanted), acquire_(&progress), records_(*cache_file->GetPkgCache())
	{
	}

	bool add_items()
	{
		for (auto &w : wanted_) {
			if (!w.path.empty())
				continue;
			files_.push_back({ &w, std::make_unique<std::string>() });
			items_.push_back(new pkgAcqArchive(
				&acquire_, cache_file->GetSourceList(), &records_,
				w.version, *files_.back().second));
		}
		return !_error->PendingError();
	}

	bool are_trusted() const
	{
		for (const auto *item : items_)
			if (!item->Complete && !item->IsTrusted() &&
			    !_config->FindB("APT::Get::AllowUnauthenticated", false))
				return _error->Error("%s is not authenticated",
						     item->ShortDesc().c_str());
		return true;
	}

	bool run()
	{
		return acquire_.Run() == pkgAcquire::Continue;
	}
	bool lock(const std::string &dir)
	{
		return acquire_.GetLock(dir);
	}

	/* Takes over what is complete. */
	bool collect()
	{
		bool all = true;

		for (size_t i = 0; i < items_.size(); i++) {
			if (items_[i]->Complete &&
			    items_[i]->Status == pkgAcquire::Item::StatDone)
				files_[i].first->path = *files_[i].second;
			else
				all = false;
		}
		return all;
	}

      private:
	std::vector<Wanted> &wanted_;
	pkgAcquire acquire_;
	pkgRecords records_;
	std::vector<pkgAcqArchive *> items_; /* owned by acquire_ */
	std::vector<std::pair<Wanted *, std::unique_ptr<std::string>>> files_;
};

bool find_on_disk(std::vector<Wanted> &wanted, Progress &progress)
{
	Fetch fetch(wanted, progress);

	return fetch.add_items() && fetch.collect();
}

bool download(std::vector<Wanted> &wanted, Progress &progress)
{
	Fetch fetch(wanted, progress);

	return fetch.lock(_config->FindDir("Dir::Cache::archives")) &&
	       fetch.add_items() && fetch.are_trusted() && fetch.run() && fetch.collect();
}

bool obtain(const shim_headers &what, std::vector<Wanted> &wanted)
{
	Progress progress;

	if (find_on_disk(wanted, progress))
		return true;
	if (_error->PendingError())
		return false;
	/* apt's own archive folder is locked by the apt that waits for us. */
	_config->Set("Dir::Cache::archives", std::string(what.kept_dir) + "/");
	return find_on_disk(wanted, progress) ||
	       (what.may_download && download(wanted, progress));
}

/* Nothing is fetched or looked at yet; @why says what is not to be had. */
bool choose_headers(const shim_headers &what, std::vector<Wanted> &wanted,
		    std::string &why)
{
	Version version = find_headers(what);
	Closure closure(what.present);
	std::string missing;

	if (version.end()) {
		why = std::string("apt knows no ") + what.package + " in version " +
		      what.version;
		return false;
	}
	if (!closure.add(version, missing)) {
		why = missing + " has dependencies that cannot be satisfied";
		return false;
	}
	for (const auto &chosen : closure.chosen())
		wanted.push_back({ chosen, "" });
	return true;
}

/* ---- package files that apt's lists do not know any more ---- */

struct Pool : deb_pool {
	Pool() : deb_pool()
	{
	}
	~Pool()
	{
		deb_pool_fini(this);
	}
};

struct Paths : strv {
	Paths() : strv()
	{
	}
	~Paths()
	{
		strv_fini(this);
	}
};

/* The caches once more, with these files as if named on apt's command line. */
bool reopen_with(const strv &paths)
{
	auto file = std::make_unique<pkgCacheFile>();

	if (!file->BuildSourceList())
		return false;
	for (size_t i = 0; i < paths.n; i++)
		if (!file->GetSourceList()->AddVolatileFile(std::string(paths.v[i])))
			return false;
	if (!file->BuildCaches(nullptr, false) || !file->BuildPolicy())
		return false;
	cache_file = std::move(file);
	return true;
}

/* false: there are none, or apt cannot read them. */
bool learn_files(const shim_headers &what)
{
	Pool pool;
	Paths paths;
	bool learned;

	deb_pool_add(&pool, what.kept_dir);
	deb_pool_add(&pool, _config->FindDir("Dir::Cache::archives").c_str());
	learned = deb_pool_find(&pool, what.package, &paths) == 0 && paths.n > 0 &&
		  reopen_with(paths);
	_error->Discard();
	return learned;
}

/* Where nothing may be downloaded, the files decide which versions there are. */
bool find_closure(const shim_headers &what, std::vector<Wanted> &wanted, std::string &why)
{
	const bool has_learned = !what.may_download && learn_files(what);

	return choose_headers(what, wanted, why) ||
	       (!has_learned && learn_files(what) && choose_headers(what, wanted, why));
}

/* ---- who needs a held version ---- */

using Held = std::map<map_id_t, Version>;

bool needs_held(const Version &version, const Held &held)
{
	for (const auto &group : dependencies(version)) {
		bool any = false;
		bool all = !group.empty();

		for (const auto &target : group) {
			any = any || held.count(target->ID) > 0;
			all = all && held.count(target->ID) > 0;
		}
		if (any && all)
			return true;
	}
	return false;
}

Version find_version(const shim_version &what)
{
	auto package = cache_file->GetPkgCache()->FindPkg(what.name);

	if (package.end())
		return Version();
	for (auto version = package.VersionList(); !version.end(); ++version)
		if (std::string(version.VerStr()) == what.version)
			return version;
	return Version();
}

/* apt could take another version of the package instead: a pin makes it do so. */
bool has_alternative(const Version &version, const Held &held)
{
	for (auto other = version.ParentPkg().VersionList(); !other.end(); ++other)
		if (other != version && held.count(other->ID) == 0)
			return true;
	return false;
}

/* Versions that depend on @target and are not held yet. */
std::vector<Version> dependents(const Version &target, const Held &held)
{
	std::vector<Version> found;

	for (auto dep = target.ParentPkg().RevDependsList(); !dep.end(); ++dep) {
		Version parent = dep.ParentVer();

		if (is_hard(dep) && held.count(parent->ID) == 0 &&
		    !is_installed(parent) && needs_held(parent, held))
			found.push_back(parent);
	}
	return found;
}

} // namespace

extern "C" {

int shim_open(struct kg_err *err)
{
	if (!pkgInitConfig(*_config) || !pkgInitSystem(*_config, _system))
		return kg_fail(err, -EIO, "apt: %s", last_error().c_str());
	cache_file = std::make_unique<pkgCacheFile>();
	if (!cache_file->BuildCaches(nullptr, false) || !cache_file->BuildPolicy() ||
	    !cache_file->BuildSourceList())
		return kg_fail(err, -EIO, "apt: %s", last_error().c_str());
	_error->Discard();
	return 0;
}

void shim_close(void)
{
	cache_file.reset();
}

int shim_find_headers(const struct shim_headers *what, shim_archive_fn *each, void *data,
		      struct kg_err *err)
{
	std::vector<Wanted> wanted;
	std::string why;

	if (!find_closure(*what, wanted, why))
		return kg_fail(err, -KGE_NO_HEADERS, "%s", why.c_str());
	if (!obtain(*what, wanted))
		return kg_fail(err, -KGE_NO_HEADERS, "%s %s: %s", what->package,
			       what->version,
			       what->may_download ? last_error().c_str()
						  : "not in apt's archive cache");
	for (const auto &w : wanted) {
		const std::string name = w.version.ParentPkg().Name();
		const struct shim_archive archive = { name.c_str(), w.version.VerStr(),
						      w.path.c_str() };

		each(&archive, data);
	}
	return 0;
}

void shim_each_dependent(const struct shim_version *held, size_t n, shim_version_fn *each,
			 void *data)
{
	std::vector<Version> queue;
	Held all;

	for (size_t i = 0; i < n; i++) {
		Version version = find_version(held[i]);

		if (!version.end()) {
			all.emplace(version->ID, version);
			queue.push_back(version);
		}
	}
	for (size_t i = 0; i < queue.size(); i++) {
		for (const auto &version : dependents(Version(queue[i]), all)) {
			if (!all.emplace(version->ID, version).second)
				continue;
			queue.push_back(version);
			if (has_alternative(version, all))
				each(version.ParentPkg().Name(), version.VerStr(), data);
		}
	}
}

bool shim_is_offered(const struct shim_version *version)
{
	Version found = find_version(*version);

	return !found.end() && is_downloadable(found);
}
}
