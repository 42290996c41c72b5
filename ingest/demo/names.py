"""The words the demo's tests are named with: one shop, as its developers would speak of it.

Knows only words; which tests they become, and when, is the suite's business.
"""

from __future__ import annotations

# Area of the shop -> the things its tests are about. Backend tests are named area / noun / claim.
BACKEND: dict[str, tuple[str, ...]] = {
    "cart": ("line_item", "subtotal", "guest_cart", "merge"),
    "catalog": ("product", "variant", "category_tree", "slug"),
    "checkout": ("address_step", "shipping_step", "order_draft", "confirmation"),
    "customers": ("profile", "address_book", "consent", "birthday"),
    "identity": ("password_hash", "session_cookie", "reset_link", "totp_code"),
    "inventory": ("stock_level", "reservation", "backorder", "warehouse_pick"),
    "invoices": ("invoice_number", "credit_note", "pdf_footer", "due_date"),
    "loyalty": ("points_balance", "tier", "referral", "expiry"),
    "notifications": ("order_mail", "sms_text", "digest", "unsubscribe_link"),
    "orders": ("status_change", "cancellation", "split_shipment", "order_note"),
    "pricing": ("list_price", "tier_price", "currency_amount", "rounding"),
    "promotions": ("coupon", "bundle", "free_shipping", "stacking_rule"),
    "returns": ("return_label", "refund_amount", "restocking", "reason_code"),
    "reviews": ("rating", "moderation", "helpful_vote", "photo"),
    "search": ("query_parser", "synonym", "facet", "ranking"),
    "shipping": ("parcel", "carrier_rate", "delivery_estimate", "customs_form"),
    "tax": ("vat_rate", "reverse_charge", "exemption", "tax_line"),
    "wishlist": ("saved_item", "share_link", "price_alert", "list_order"),
}

UNIT_CLAIMS: tuple[str, ...] = (
    "accepts_the_largest_allowed_value",
    "compares_by_value",
    "defaults_to_empty",
    "describes_itself_in_the_log",
    "ignores_surrounding_whitespace",
    "is_immutable",
    "is_rejected_when_empty",
    "keeps_insertion_order",
    "refuses_a_negative_amount",
    "round_trips_through_json",
    "sorts_by_priority",
    "survives_a_missing_optional_field",
    "uses_the_shop_currency",
    "warns_about_deprecated_keys",
)

INTEGRATION_CLAIMS: tuple[str, ...] = (
    "is_found_by_its_public_id",
    "is_not_visible_to_another_tenant",
    "is_saved_and_loaded_unchanged",
    "is_written_once_for_two_requests",
    "locks_the_row_while_changing",
    "publishes_an_event_on_commit",
    "rolls_back_when_the_last_step_fails",
)

API_CLAIMS: tuple[str, ...] = (
    "get_returns_the_document",
    "list_is_paged_by_cursor",
    "patch_rejects_unknown_fields",
    "post_needs_a_csrf_token",
)

# Class of the Java payment service -> what it is about, in the words of its methods.
JAVA: dict[str, tuple[str, ...]] = {
    "Amount": ("Cents", "Currency", "Scale"),
    "AuthorisationPolicy": ("Limit", "Velocity", "Country"),
    "BankTransferReference": ("Checksum", "Prefix", "Length"),
    "CardNumberMask": ("Digits", "Brand", "Length"),
    "ChargebackCase": ("Deadline", "Evidence", "State"),
    "CurrencyTable": ("Rate", "Inverse", "Fallback"),
    "DunningSchedule": ("FirstReminder", "Pause", "LastReminder"),
    "FeeCalculator": ("FlatFee", "PercentFee", "Cap"),
    "FraudScore": ("Threshold", "Signals", "Weight"),
    "IbanValidator": ("CountryCode", "CheckDigits", "Spaces"),
    "IdempotencyCache": ("Key", "Expiry", "Eviction"),
    "LedgerEntry": ("Debit", "Credit", "Balance"),
    "MandateSigner": ("Signature", "Date", "Reference"),
    "PaymentIntent": ("State", "Amount", "Metadata"),
    "PayoutBatch": ("Grouping", "Order", "Total"),
    "ReconciliationReport": ("Match", "Mismatch", "Header"),
    "RefundService": ("PartialRefund", "FullRefund", "Limit"),
    "RetryBackoff": ("Delay", "Jitter", "Ceiling"),
    "SettlementFile": ("Header", "Trailer", "Encoding"),
    "WebhookSignature": ("Timestamp", "Secret", "Body"),
}

JAVA_CLAIMS: tuple[str, ...] = ("accepts{}AtTheLimit", "isStableFor{}", "rejectsNull{}", "serialises{}")

JAVA_INTEGRATION: dict[str, tuple[str, ...]] = {
    "KafkaEventsIT": (
        "publishesPaymentCaptured",
        "consumesOrderCancelled",
        "keepsOrderPerCustomer",
        "deadLettersPoison",
    ),
    "LedgerRepositoryIT": ("appendsEntries", "balancesPerAccount", "refusesUpdate", "pagesByTime"),
    "MigrationIT": ("migratesFromEmpty", "migratesFromLastRelease", "leavesNoInvalidIndex"),
    "PayoutSchedulerIT": ("claimsABatchOnce", "skipsHolidays", "resumesAfterCrash", "writesAuditTrail"),
    "SandboxGatewayIT": (
        "authorisesACard",
        "capturesAuthorisedPayment",
        "declinesStolenCard",
        "refundsCapture",
        "voidsAuthorisation",
    ),
    "WebhookEndpointIT": ("acceptsSignedBody", "refusesReplay", "refusesWrongSecret", "answersWithin"),
}

# Folder and component of the shop's front -> nothing more is needed to name its tests.
FRONTEND: dict[str, tuple[str, ...]] = {
    "account": ("AddressForm", "LoginForm", "OrderHistory", "PasswordMeter", "ProfileMenu", "ConsentBanner"),
    "cart": ("CartBadge", "CartDrawer", "CartLine", "CouponField", "QuantityStepper", "SavedForLater"),
    "catalog": (
        "Breadcrumbs",
        "FilterPanel",
        "Gallery",
        "PriceTag",
        "ProductCard",
        "ProductGrid",
        "SortMenu",
    ),
    "checkout": ("CardForm", "DeliveryOptions", "GuestEmail", "OrderSummary", "PayButton", "StepIndicator"),
    "hooks": ("useCart", "useCountdown", "useDebounce", "useInfiniteScroll", "useLocalStorage"),
    "i18n": ("dateFormat", "moneyFormat", "pluralRules", "translate"),
    "search": ("Autocomplete", "NoResults", "RecentSearches", "SearchBox", "VoiceSearch"),
    "ui": ("Accordion", "Dialog", "Pagination", "Skeleton", "Spinner", "Toast", "Tooltip"),
}

FRONTEND_CLAIMS: tuple[str, ...] = (
    "calls onChange once per edit",
    "does not render without data",
    "is reachable with the keyboard",
    "keeps its state when the parent renders again",
    "matches its snapshot",
    "shows the error of the server",
    "shows the loading state",
    "uses the label as its accessible name",
)

# Spec file of the browser suite -> its describe title and its journeys, in the order they were written.
JOURNEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "account.spec.ts": (
        "Account",
        ("register", "sign in", "sign out", "reset the password", "change the address", "delete the account"),
    ),
    "cart.spec.ts": (
        "Cart",
        (
            "add a product",
            "change a quantity",
            "remove a line",
            "apply a coupon",
            "merge after sign-in",
            "undo",
        ),
    ),
    "catalog.spec.ts": (
        "Catalog",
        (
            "browse a category",
            "filter by size",
            "sort by price",
            "open a product",
            "zoom a photo",
            "compare two",
        ),
    ),
    "checkout.spec.ts": (
        "Checkout",
        (
            "guest pays by card",
            "member pays by card",
            "pay by invoice",
            "pay with points",
            "split",
            "3-D Secure",
        ),
    ),
    "returns.spec.ts": (
        "Returns",
        (
            "ask for a return",
            "print a label",
            "refund to card",
            "refund to points",
            "exchange a size",
            "reject",
        ),
    ),
    "search.spec.ts": (
        "Search",
        ("find by name", "find by number", "correct a typo", "suggest while typing", "no result", "by voice"),
    ),
    "subscriptions.spec.ts": (
        "Subscriptions",
        ("start", "pause", "skip a delivery", "change the interval", "cancel", "resume"),
    ),
    "wishlist.spec.ts": (
        "Wishlist",
        ("save an item", "share a list", "move to cart", "price alert", "remove an item", "rename a list"),
    ),
}

VIEWPORTS: tuple[str, ...] = (
    "desktop",
    "phone",
    "tablet",
)  # each journey is written for one, then for the others

THRESHOLDS: tuple[str, ...] = (
    "http_req_duration - p(95)<500",
    "http_req_duration{page:home} - p(95)<300",
    "http_req_duration{page:search} - p(95)<450",
    "http_req_duration{page:checkout} - p(95)<800",
    "http_req_failed - rate<0.01",
    "checks - rate>0.99",
    "iteration_duration - p(99)<4000",
    "ws_connecting - p(95)<250",
)
