export {hasStockKernel, type StockKernel, stockFiles} from './stock-kernels.ts';
