import {compiler} from './user-land/compiler.ts';
import {openssl} from './user-land/openssl.ts';
import {perl} from './user-land/perl.ts';
import {python} from './user-land/python.ts';
import {sqlite} from './user-land/sqlite.ts';
import {stress} from './user-land/stress.ts';
import {userLandTest} from './user-land/user-land.ts';

userLandTest('Debian boots with systemd, and its programs give known answers', {
	processors: 1,
	parts: [openssl, python, perl, sqlite, compiler, stress(1)],
});

userLandTest('a compiler, threads and stress have two processors', {processors: 2, parts: [compiler, stress(2)]});
