export {hasRuntimes, mountRuntimes, runtimes, runtimesDisk} from './runtimes.ts';
