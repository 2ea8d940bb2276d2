export {
	type Answer,
	type MadeMirror,
	type MadeSuite,
	makeMirror,
	makeSigner,
	type Signer,
	serveMirror,
} from './make-mirror.ts';
