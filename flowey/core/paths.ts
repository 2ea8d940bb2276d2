/** The folders that tasks read and write. */

import {join, resolve} from 'node:path';

const repo = resolve(import.meta.dirname, '../..');

/** Absolute paths in the working copy. */
export const PATHS = {
	repo,
	dist: join(repo, 'dist'),
	build: join(repo, '.build'),
	/** Declarations of `tsc -b`, as the sources lie. */
	types: join(repo, '.build/types'),
	packages: join(repo, '.packages'),
	kernels: join(repo, '.packages/kernels'),
	linux: join(repo, '.packages/linux'),
	memtest: join(repo, '.packages/memtest'),
	xen: join(repo, '.packages/xen'),
	incubator: join(repo, '.packages/incubator'),
	userLand: join(repo, '.packages/user-land'),
	runtimes: join(repo, '.packages/runtimes'),
	guestTools: join(repo, '.packages/guest-tools'),
	bench: join(repo, '.packages/bench'),
	oci: join(repo, '.packages/oci'),
} as const;
