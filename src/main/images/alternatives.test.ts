import test from 'ava';
import {readAlternatives} from './alternatives.ts';

test('what a script offers is read through its line ends, with what goes with it', (t) => {
	const script = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
	update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \\
		--slave /usr/bin/nawk nawk /usr/bin/mawk \\
		--slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz || true
	update-alternatives --install "/usr/bin/pager" pager /bin/more 50 > /dev/null
fi
`;
	t.deepEqual(readAlternatives(script), [
		[
			{link: '/usr/bin/awk', name: 'awk', path: '/usr/bin/mawk', priority: 5},
			{link: '/usr/bin/nawk', name: 'nawk', path: '/usr/bin/mawk', priority: 5},
			{
				link: '/usr/share/man/man1/awk.1.gz',
				name: 'awk.1.gz',
				path: '/usr/share/man/man1/mawk.1.gz',
				priority: 5,
			},
		],
		[{link: '/usr/bin/pager', name: 'pager', path: '/bin/more', priority: 50}],
	]);
});

test('what a script makes up as it goes is left out', (t) => {
	for (const command of [
		'update-alternatives --install /usr/bin/$name $name /usr/bin/x 5',
		'update-alternatives --install /usr/bin/x x /usr/bin/y $priority',
		'update-alternatives --install /usr/bin/../../x x /usr/bin/y 5',
		'update-alternatives --install /usr/bin/x ../x /usr/bin/y 5',
		'update-alternatives --install /usr/bin/x',
		'update-alternatives --remove x /usr/bin/x',
		'echo "no update-alternatives"',
		'# update-alternatives --install',
	])
		t.deepEqual(readAlternatives(command), [], command);
});
