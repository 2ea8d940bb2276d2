/** Runs commands in a machine of its own. `node run-commands.ts [KERNEL INITRD]`; without them it is Debian, which is fetched once. */
import {VM} from 'openvmm';

const [kernel, initrd] = process.argv.slice(2);
const guest = kernel !== undefined && initrd !== undefined ? {kernel, initrd} : {image: 'debian:12'};

await using vm = await VM.create({
	...guest,
	name: 'example',
	files: {'/tmp/numbers': '3\n1\n2\n'},
	progress: (step) => console.error(`… ${step}`),
});

const sorted = await vm.exec('sort /tmp/numbers | tr "\\n" " "', {check: true});
console.log(`sorted: ${sorted.stdout}`);

const failed = await vm.exec(['/bin/sh', '-c', 'test -e "$1"', 'sh', '/no where']);
console.log(`status: ${failed.exitCode}`);

// A command whose streams are the program's.
await using counter = await vm.spawn('while read word; do echo "got $word"; done');
counter.stdin.end('one\nthree\n');
for await (const bytes of counter.stdout) process.stdout.write(bytes);
console.log(`counter: ${(await counter.exited).exitCode}`);
