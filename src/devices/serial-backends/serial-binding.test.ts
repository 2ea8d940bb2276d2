import test from 'ava';
import {VmmError} from '#support/errors';
import {type SerialBackendConfig, serialBinding} from './index.ts';

const serials: [string, object][] = [
	['none', {kind: 'none'}],
	['console', {kind: 'console', outputFd: 1}],
	['stderr', {kind: 'stderr'}],
	['file=/tmp/a,b=c', {kind: 'file', path: '/tmp/a,b=c'}],
	['listen=/tmp/s', {kind: 'listen-unix', path: '/tmp/s'}],
	['listen=tcp:127.0.0.1:0', {kind: 'listen-tcp', host: '127.0.0.1', port: 0}],
	['listen=tcp:[::1]:4321', {kind: 'listen-tcp', host: '::1', port: 4321}],
];
for (const [text, backend] of serials) {
	test(`serial "${text}" names its backend`, (t) => {
		t.deepEqual(serialBinding.parse(text, '--com2'), backend as SerialBackendConfig);
	});
}

const badSerials = ['', 'tty', 'file', 'file=', 'listen=', 'none=1', 'console,x', 'listen=tcp:', 'listen=tcp:host:1'];
for (const text of [...badSerials, 'listen=tcp:1.2.3:x', 'listen=tcp:999.1.1.1:1', 'listen=tcp:[::g]:1']) {
	test(`serial "${text}" is refused with what is allowed`, (t) => {
		const error = t.throws(() => serialBinding.parse(text, '--com2'), {
			code: 'CONFIG_VALUE_INVALID',
			instanceOf: VmmError,
		});
		t.regex(`${error?.message} ${error?.remedy}`, /--com2 .*listen=tcp:IP:PORT/);
	});
}

test('a TCP port above 65535 is refused with the range', (t) => {
	const parse = () => serialBinding.parse('listen=tcp:127.0.0.1:65536', '--com2');
	const error = t.throws(parse, {instanceOf: VmmError});
	t.regex(error?.remedy ?? '', /0 to 65535/);
});

test('data that is no binding is refused, whatever it is', (t) => {
	for (const [, backend] of serials) t.is(serialBinding.check(backend, 'com2 backend'), undefined);
	const wrong = [undefined, null, 5, 'file=x', [], {}, {kind: 'tty'}, {kind: 'file'}, {kind: 'file', path: 5}];
	for (const value of [...wrong, {kind: 'console'}, {kind: 'listen-tcp', host: 1, port: 1}])
		t.is(serialBinding.check(value, 'com2 backend')?.code, 'CONFIG_VALUE_INVALID');
});
