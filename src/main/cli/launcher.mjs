#!/usr/bin/env node
// Starts openvmm with a Node.js that can run it. Plain JavaScript that Node.js 20 understands, because the
// machine's own `node` may be older than what openvmm needs.
import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import * as module from 'node:module';
import {homedir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {SHARE_ENV, Worker} from 'node:worker_threads';

/** The oldest release line with 64-bit shared memories and `Atomics.pause`. */
const neededMajor = 24;
/** Set across the switch, so that a broken runtime package cannot make it go round in circles. */
const switchedVariable = 'OPENVMM_SWITCHED_RUNTIME';

/** F_SETFD of fcntl(2). */
const setDescriptorFlags = 2;

/** Words with which nothing is booted. */
const noBoot = ['-h', '--help', '-V', '--version'];

const self = fileURLToPath(import.meta.url);
const root = join(dirname(self), '../../..');
const require = module.createRequire(import.meta.url);

if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
	delete process.env[switchedVariable];
	enableCompileCache();
	const words = process.argv.slice(2);
	const thread = startFirstProcessor(words);
	const {program} = await import(programUrl());
	// Standard input and timers of what has ended must not keep the process.
	process.exit(await program(words, process.env, thread));
} else {
	await switchRuntime();
}

/** The built program, or in a checkout without one its source. */
function programUrl() {
	const built = join(root, 'dist/openvmm.js');
	return pathToFileURL(existsSync(built) ? built : join(root, 'src/main/cli/program.ts')).href;
}

/**
 * The boot processor's thread: it takes as long to start as Node itself, so it starts before anything else is loaded.
 * Not for a command that boots nothing, nor where nothing can be booted.
 */
function startFirstProcessor(words) {
	const entry = join(root, 'dist/vcpu-worker.js');
	const boots = !words.some((word, index) => noBoot.includes(word) || (index === 0 && !word.startsWith('-')));
	if (!boots || !existsSync('/dev/kvm') || !existsSync(entry)) return undefined;
	return new Worker(entry, {name: 'vcpu', env: SHARE_ENV});
}

/** Compiled code is kept between runs where caches belong (XDG base directory specification). */
function enableCompileCache() {
	if (process.env.NODE_COMPILE_CACHE !== undefined) return;
	const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
	const directory = join(base, 'openvmm', 'compile-cache');
	module.enableCompileCache(directory);
	// Worker threads look for the variable.
	process.env.NODE_COMPILE_CACHE = directory;
}

/** Goes on in the runtime package's Node.js. */
async function switchRuntime() {
	const runtime = process.env[switchedVariable] === undefined ? findRuntime() : undefined;
	if (runtime === undefined) {
		console.error(
			`openvmm: Node.js ${neededMajor} or newer is needed, this is ${process.version}, and the package that brings it is not installed. ` +
				`Install again without --omit=optional, or run with a newer node.`,
		);
		process.exit(1);
	}
	const argv = [runtime, self, ...process.argv.slice(2)];
	process.env[switchedVariable] = '1';
	replaceProcess(runtime, argv);
	runChild(runtime, argv.slice(1));
}

function findRuntime() {
	try {
		const path = join(dirname(require.resolve(`node-${process.platform}-${process.arch}/package.json`)), 'bin/node');
		return existsSync(path) ? path : undefined;
	} catch {
		return undefined;
	}
}

/**
 * execve(2): the same process, with its standard streams, terminal, parent and signals, so that there is
 * nothing to forward. Returns where that is not possible.
 */
function replaceProcess(runtime, argv) {
	const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
	try {
		// biome-ignore lint/style/noRestrictedImports: execve has to happen before any of our layers can be loaded
		const koffi = require('koffi');
		const libc = koffi.load(null);
		const execve = libc.func('int execve(const char *path, const char **argv, const char **envp)');
		const fcntl = libc.func('int fcntl(int fd, int command, int argument)');
		// Node.js marks every descriptor it inherits close-on-exec, the standard streams too.
		for (const fd of [0, 1, 2]) fcntl(fd, setDescriptorFlags, 0);
		execve(runtime, [...argv, null], [...environment, null]);
	} catch {
		// No koffi for this Node.js: run a child instead.
	}
}

/** Runs the runtime beside this process, which hands on signals and ends as it ended. */
function runChild(runtime, args) {
	const child = spawn(runtime, args, {stdio: 'inherit'});
	process.on('SIGTERM', () => child.kill('SIGTERM'));
	// A terminal sends these to the child as well, and a second one would end it by force.
	const fromTerminal = process.stdin.isTTY === true;
	for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => fromTerminal || child.kill(signal));
	child.on('error', (error) => {
		console.error(`openvmm: Cannot start ${runtime}: ${error.message}. Install the package again.`);
		process.exit(1);
	});
	child.on('exit', (status, signal) => {
		if (signal === null) process.exit(status);
		process.removeAllListeners(signal);
		process.kill(process.pid, signal);
	});
}
