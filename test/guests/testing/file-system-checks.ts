/** `name` so many times. */
const times = (name: string, count: number) => `$(printf '%${count}s' '' | tr ' ' ${name})`;

/**
 * What POSIX says of files, as lines of shell by what each is about: each runs in an empty folder of its own, and what it says is the same on every file
 * system of Linux. The subjects are those of pjdfstest; errors come in the words of strerror(3). Not among them is what folders refuse on purpose: rights of
 * a file's owner for whoever executes it, and to list a folder that has been removed.
 */
export const fileSystemChecks: Readonly<Record<string, string>> = {
	'a folder is made once': 'mkdir a; mkdir a; ls',
	'a folder with something in it stays': 'mkdir a; touch a/b; rmdir a; rm a/b; rmdir a; ls',
	'a file is no folder': 'touch a; rmdir a; mkdir a/b; cat a/b; cat a/; ls a/..',
	'what is not there': 'cat a; rm a; mv a b; ln a b; touch a/b; mkdir a/b; rmdir a; stat -c %s a',
	'a folder is no file': 'mkdir a; rm a; cat a; echo text >a; ls -A',
	'names of 255 bytes, and longer ones': `touch ${times('n', 255)}; touch ${times('n', 256)}; mkdir ${times('d', 256)}; mv ${times('n', 255)} ${times('m', 256)}; ls | wc -c`,
	'paths that are too long': `touch ${times('a', 100)}$(printf '/%s' $(seq 2000)); mkdir -p ${Array.from({length: 12}, () => times('p', 100)).join('/')}; find . | tail -1 | wc -c`,
	'names of any bytes': `touch 'a b' "q'q" 'back\\slash' "$(printf 'new\\nline')" "$(printf '\\303\\251')" "$(printf '\\377')" -- -dash; ls | od -An -c | tr -d '\\n'`,
	'links that lead in a circle': 'ln -s a b; ln -s b a; cat a; echo text >a; touch a/c; readlink a; rm a b; ls',
	'a link to nothing is made by writing': 'ln -s made link; cat link; echo text >link; cat made; stat -c %F link made',
	'links of any length': `ln -s ${times('x', 4000)} link; readlink link | wc -c; stat -c %s link; cat link`,
	'links are not followed when they are removed or renamed':
		'mkdir a; touch a/b; ln -s a link; mv link moved; rm moved; ls a; ls',
	'a link beside one of its name': 'touch a; ln -s x a; ln -s x b; ln -s y b; readlink b',
	'hard links are one file':
		'echo one >a; ln a b; ln b c; stat -c %h a; echo two >>c; cat a; [ $(stat -c %i a) = $(stat -c %i c) ] && echo same; rm a; stat -c %h b; ln b c',
	'a folder has no hard links': 'mkdir a; ln a b; ls',
	'a hard link of a link': 'ln -s nowhere a; ln a b 2>&1; ls',
	'a file that is renamed is the same':
		'echo text >a; i=$(stat -c %i a); mv a b; [ $i = $(stat -c %i b) ] && echo same; cat b; ls',
	"a file takes another one's place": 'echo one >a; echo two >b; exec 5<b; mv a b; cat b; cat <&5; ls',
	'a folder does not go below itself': 'mkdir -p a/b; mv a a/b/c; ls -R',
	'a folder takes the place of an empty one alone':
		'mkdir -p x/a y/a y/a/full; mv x/a y; ls -R; rmdir y/a/full; mv x/a y; ls -R',
	"a file does not take a folder's place":
		'mkdir -p y/a; touch a; mv a y; ls -R; rm -r y/a; mkdir a2; touch y/a2; mv a2 y; ls -R',
	'a file that is removed is there while it is open':
		'echo text >a; exec 5<>a; rm a; ls; echo more >&5; cat /proc/self/fd/5 | tr "\\n" " "; stat -L -c %h /proc/self/fd/5',
	'a folder that is removed takes nothing': 'mkdir a; cd a; rmdir ../a; touch b; cd ..; ls',
	modes:
		'touch a; for m in 0 111 222 444 644 777 1777; do chmod $m a; stat -c %a a; done; mkdir b; for m in 0 700 1777 2755 7777; do chmod $m b; stat -c %a b; done; chmod 700 b',
	'the mask of new files':
		'(umask 027; touch a; mkdir b; mkfifo c; mkdir -m 1733 d); (umask 777; touch e); stat -c "%n %a %F" a b c d e',
	'a mode of what a link leads to':
		'touch a; ln -s a b; chmod 640 b; stat -c "%n %a %F" a b; ln -s none c; chmod 600 c',
	"a folder's time changes with what is in it":
		'mkdir a; for do in "touch a/b" "mv a/b a/c" "ln a/c a/d" "rm a/c" "mkdir a/e" "rmdir a/e" "ln -s x a/f" "mkfifo a/g"; do touch -d @1000 a; $do; [ $(stat -c %Y a) -gt 1000 ] && echo later; done',
	"a file's time changes with its bytes, and not with its mode":
		'touch -d @1000 a; chmod 600 a; stat -c %Y a; echo text >>a; [ $(stat -c %Y a) -gt 1000 ] && echo later; touch -d @1000 a; truncate -s 2 a; [ $(stat -c %Y a) -gt 1000 ] && echo later; touch -d @1000 a; cat a >/dev/null; stat -c %Y a',
	'times are as they are set':
		'for s in 0 1 1234567890 2147483647 2147483648 4102444800; do touch -d @$s a; stat -c "%Y %X" a; done; touch -h -d @77 a; stat -c %Y a',
	lengths:
		'printf 0123456789 >a; truncate -s 4 a; cat a; echo; truncate -s 9 a; od -An -c a; truncate -s 5000000000 a; stat -c %s a; tail -c 3 a | od -An -c; truncate -s 0 a; stat -c %s a',
	'bytes far behind the end':
		'printf x | dd of=a bs=1 seek=100000 conv=notrunc 2>/dev/null; stat -c %s a; head -c 100000 a | tr -d "\\0" | wc -c; tail -c 1 a',
	'all who append do so at the end':
		'for i in 1 2 3 4 5 6; do (for j in 1 2 3 4 5 6 7 8 9; do echo line $i >>a; done) & done; wait; wc -l <a; sort -u a | wc -l',
	'a file is made by one alone': 'set -C; echo one >a; (echo two >a); cat a; (echo 3 >a/b); cat a',
	'pipes with names': 'mkfifo a; (echo through >a &); cat a; stat -c %F a; mv a b; (echo again >b &); cat b; rm b; ls',
	'many names':
		'i=0; while [ $i -lt 300 ]; do : >file-$i; i=$((i + 1)); done; ls | wc -l; ls | sort -u | wc -l; rm file-1*; ls | wc -l; rm -r ./*; ls -A',
	dots: 'mkdir -p a/b; cd a/b; ls -a; cd ../..; rmdir a/b/.; rmdir a/b/..; rm -r a/.; [ $(stat -c %i a/b/..) = $(stat -c %i a) ] && echo same; ls -R',
	'a copy with all of its tree':
		'mkdir -p a/b/c; echo x >a/b/file; ln -s ../file a/b/c/link; chmod 750 a/b; touch -d @5000 a/b/file; cp -a a z; cd z; find . | sort | while read f; do stat -c "%n %a %F" $f; done; stat -c %Y b/file; readlink b/c/link',
};

/** A script that does all of them below a folder. */
export const checksScript = (folder: string): string =>
	Object.values(fileSystemChecks)
		.map(
			(lines, index) => `mkdir ${folder}/${index}; echo "=== ${index}"; (cd ${folder}/${index}; ${lines}) 2>&1; echo`,
		)
		.join('\n');

/** What each of them has said. */
export function answersOf(output: string): Readonly<Record<string, string>> {
	const parts = output.split(/^=== \d+\n/m).slice(1);
	return Object.fromEntries(
		Object.keys(fileSystemChecks).map((name, index) => [name, parts[index] ?? 'nothing at all']),
	);
}
