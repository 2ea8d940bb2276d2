export {debianSuites, type MirrorSuite, parseMirror} from './address.ts';
export {FileFetcher} from './fetch-file.ts';
export {Mirror, type MirrorOptions} from './mirror.ts';
export {PackageCache} from './package-cache.ts';
export {findKeyring, type Keyring, keyringChecksum} from './signature.ts';
