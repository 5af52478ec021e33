import { renderPrice } from './objects/price';
import { renderProduct } from './objects/product';
import type { Owner } from './store';
import type { Price, Product } from './wire';
import type { World } from './world';

export interface ProductTerms {
  name: string;
  metadata: Record<string, string>;
  description: string | null;
  active: boolean;
  deleted: boolean;
}

export interface PriceTerms {
  currency: string;
  unitAmount: number | null;
  unitAmountDecimal: string | null;
  taxBehavior: 'exclusive' | 'inclusive' | 'unspecified';
  customUnitAmount: boolean;
  recurring: boolean;
  metadata: Record<string, string>;
}

/** The product with these terms, made when it is not there yet. A deleted product is always one of its own. */
export function stockProduct(world: World, terms: ProductTerms, owner: Owner): Product {
  const { store } = world;
  const key = JSON.stringify([terms, owner]);
  const known = terms.deleted ? undefined : store.products.get(store.productKeys.get(key) ?? '');
  if (known !== undefined) return known;
  const created = world.clock.nowSeconds();
  const product = renderProduct({ id: world.ids.next('prod', 14), ...terms, created, livemode: owner.livemode });
  const entry = store.products.add(product, owner, created);
  entry.deleted = terms.deleted;
  store.productKeys.set(key, product.id);
  return product;
}

export function stockPrice(world: World, product: Product, terms: PriceTerms, owner: Owner): Price {
  const { store } = world;
  const key = JSON.stringify([product.id, terms]);
  const known = store.prices.get(store.priceKeys.get(key) ?? '');
  if (known !== undefined) return known;
  const created = world.clock.nowSeconds();
  const price = renderPrice({
    id: world.ids.next('price'),
    productId: product.id,
    ...terms,
    created,
    livemode: owner.livemode,
  });
  store.prices.add(price, owner, created);
  store.priceKeys.set(key, price.id);
  return price;
}

export interface Article {
  name: string;
  code: string;
  catalogNumber: string;
  /** US dollars in cents. */
  unitAmount: number;
}

/** A shop like the article's: therapy kits, single parts and services, with billing codes. */
export const ARTICLES: readonly [Article, ...Article[]] = [
  { name: 'Adult TripleFlex Kit', code: 'L2999', catalogNumber: '200-27', unitAmount: 15_000 },
  { name: 'Overnight Shipping', code: 'E1399', catalogNumber: '200S-1C', unitAmount: 3_000 },
  { name: 'Pediatric TripleFlex Kit', code: 'L2998', catalogNumber: '200-17', unitAmount: 12_500 },
  { name: 'Knee Extension Orthosis', code: 'L1832', catalogNumber: '310-04', unitAmount: 48_900 },
  { name: 'Wrist Splint, left', code: 'L3908', catalogNumber: '140-L', unitAmount: 6_450 },
  { name: 'Wrist Splint, right', code: 'L3908', catalogNumber: '140-R', unitAmount: 6_450 },
  { name: 'Replacement Liner', code: 'L2820', catalogNumber: '200-27L', unitAmount: 2_499 },
  { name: 'Hinge Set', code: 'L2385', catalogNumber: '205-02', unitAmount: 8_975 },
  { name: 'Strap Kit', code: 'A4467', catalogNumber: '205-11', unitAmount: 1_195 },
  { name: 'Elbow Flexion Kit', code: 'L3760', catalogNumber: '220-09', unitAmount: 37_250 },
  { name: 'Fitting Session', code: 'S9999', catalogNumber: 'SRV-01', unitAmount: 9_500 },
  { name: 'Cleaning Set', code: 'A9270', catalogNumber: '900-03', unitAmount: 799 },
];

export function articleMetadata(article: Article): Record<string, string> {
  return { billing_code: article.code, catalog_number: article.catalogNumber };
}

export function stockCatalogue(world: World): void {
  const owner: Owner = { account: null, livemode: false };
  for (const article of ARTICLES) {
    const product = stockProduct(
      world,
      { name: article.name, metadata: articleMetadata(article), description: null, active: true, deleted: false },
      owner,
    );
    stockPrice(
      world,
      product,
      {
        currency: 'usd',
        unitAmount: article.unitAmount,
        unitAmountDecimal: String(article.unitAmount),
        taxBehavior: 'unspecified',
        customUnitAmount: false,
        recurring: false,
        metadata: {},
      },
      owner,
    );
  }
}
