export {packageVersion} from './package-version.ts';
